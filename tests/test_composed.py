"""The services of docker-compose.yaml run, with Celery: a month is loaded, though workers die."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from discogs.database.connection import connector
from discogs.load.export import export_month
from discogs.load.folder import load_folder
from discogs.schema.entities import Month
from discogs.settings import Settings
from tests import s3
from tests.composed import Composed, composed, until
from tests.conftest import SCHEMA, new_database
from tests.content import digests
from tests.test_deployment import configured

pytestmark = [
    pytest.mark.full,
    pytest.mark.airflow,
    pytest.mark.skipif(os.geteuid() != 0, reason="airflow-init becomes another user, as root"),
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="Redis is not installed (redis-server)"
    ),
]

MONTH = Month(2026, 10)
LOAD_SECONDS = 900
WORKERS = ("first", "second")
FAST = {
    # A killed worker is detected after this time instead of five minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
}


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[s3.Bucket]:
    with s3.server(tmp_path) as url:
        bucket = s3.Bucket(url)
        bucket.client().create_bucket(Bucket=bucket.name)
        yield bucket


def at_work(stack: Composed, metadata: str, dsn: str, task: str) -> str | None:
    """The worker whose task has a connection to the target database; None if there is none."""
    with psycopg.connect(metadata) as conn:
        query = "SELECT count(*) FROM task_instance WHERE task_id ~ %s AND state = 'running'"
        if conn.execute(query, [task]).fetchone() == (0,):
            return None
    with psycopg.connect(dsn) as conn:
        rows = conn.execute("SELECT client_port FROM pg_stat_activity WHERE client_port > 0")
        ports = {port for (port,) in rows.fetchall()}
    for known in WORKERS:
        for process in stack.members(known):
            with contextlib.suppress(psutil.Error):
                if ports & {each.laddr.port for each in process.net_connections("tcp")}:
                    return known
    return None


def test_a_month_is_loaded_by_workers_that_are_killed_as_by_one_process(
    tmp_path: Path, bucket: s3.Bucket, server: str
) -> None:
    variables = {
        **FAST,
        "AIRFLOW_UID": "0",
        "AIRFLOW_EXECUTOR": "CeleryExecutor",
        "AIRFLOW_PARALLELISM": "3",
        "DISCOGS_SHARDS": "4",
        "DISCOGS_WORKERS": "1",
        "DISCOGS_STORAGE": f"s3://discogs_s3@{bucket.name}/dumps",
        "DISCOGS_EXPORT": f"s3://discogs_s3@{bucket.name}/parquet",
        "AIRFLOW_CONN_DISCOGS_S3": bucket.connection(),
        "REDIS_PASSWORD": "secret",
    }
    services = configured(tmp_path, **variables)
    lines = (tmp_path / ".env").read_text()
    env_file = dict(re.findall(r"^(\w+)=(.*)$", lines, re.MULTILINE))
    with composed(services, env_file) as stack:
        metadata = stack.start_postgres("airflow-postgres")
        dsn = stack.start_postgres("discogs-postgres")
        stack.start("redis")
        stack.wait_until_healthy("redis")
        stack.run("airflow-init")
        stack.start("api-server")
        stack.start("mirror")
        stack.wait_until_healthy("api-server")
        for name in ("scheduler", "dag-processor", "triggerer"):
            stack.start(name)
        for known in WORKERS:
            stack.start("worker", known)
        for name in ("mirror", "scheduler", "dag-processor", "triggerer"):
            stack.wait_until_healthy(name)
        for known in WORKERS:
            stack.wait_until_healthy("worker", known)

        stack.start("sample")
        for task in ("^stage", "^merge.masters$"):
            # The first merge that refers to the releases waits for its readers, in the middle.
            with psycopg.connect(dsn) as reader:
                reader.execute(f"LOCK TABLE {SCHEMA}.releases IN ACCESS SHARE MODE")
                looks = partial(at_work, stack, metadata, dsn, task)
                known = until(f"a worker is at {task}", looks, LOAD_SECONDS)
                time.sleep(1)
                stack.kill(known)
            stack.start("worker", known)  # restart: always
        sample = stack.processes["sample"]
        until("the month is loaded", lambda: sample.poll() is not None, LOAD_SECONDS)

        assert sample.returncode == 0, stack.log("sample")
        assert stack.log("sample").splitlines()[-1].split()[:2] == ["2026-10", "completed"]
        for known in WORKERS:
            assert "succeeded in" in stack.log(known), known
        assert bucket.unfinished() == []
        # Workers have separate disks, on which no dump is stored.
        for home in map(stack.home, WORKERS):
            assert [path for path in home.rglob("*") if path.suffix in (".gz", ".part")] == []
        stored = {name for name in bucket.names() if name.endswith(".xml.gz")}
        assert len(stored) == 4
        with new_database(server) as other:
            load_folder(
                connector(other, SCHEMA),
                stack.folder / "sample",
                MONTH,
                Settings(workers=2),
                run_id="undisturbed",
            )
            assert digests(dsn) == digests(other)
        out = tmp_path / "parquet"
        export_month(stack.folder / "sample", MONTH, out, Settings(workers=2, shards=4))
        local = {str(p.relative_to(tmp_path)): p.read_bytes() for p in out.rglob("*.parquet")}
        assert {n: bucket.read(n) for n in bucket.names() if n.endswith(".parquet")} == local
        assert f"parquet/_manifest/{MONTH}.json" in bucket.names()
