"""A month by the DAG's operators, with its files in a real S3-compatible object store."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from discogs.airflow.operators.finishing import CleanupOperator
from discogs.database.connection import connector
from discogs.errors import InvalidSetting
from discogs.load.export import export_month
from discogs.load.folder import load_folder
from discogs.settings import Settings
from tests import s3
from tests.airflow.operators.steps import MONTH, context, fetched, load, run
from tests.conftest import PROJECT, SCHEMA, new_database
from tests.content import digests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3.server(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture
def bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> s3.Bucket:
    """The bucket of the README's example, with its connection."""
    readme = (PROJECT / "README.md").read_text()
    address = re.search(r"`DISCOGS_STORAGE=(s3://(\w+)@([\w-]+)/\S*)`", readme)
    assert address is not None
    bucket = s3.Bucket(url, name=address[3])
    bucket.client().create_bucket(Bucket=bucket.name)
    monkeypatch.setenv(f"AIRFLOW_CONN_{address[2].upper()}", bucket.connection())
    monkeypatch.setenv("DISCOGS_STORAGE", address[1])
    return bucket


@pytest.mark.usefixtures("repository")
def test_a_month_is_loaded_from_the_readmes_bucket_with_shards(
    bucket: s3.Bucket,
    database: str,
    server: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "DISCOGS_EXPORT", f"{os.environ['DISCOGS_STORAGE'].rpartition('/')[0]}/parquet"
    )
    report = load(shards=2)

    assert report["status"] == "completed"
    stored = [name.rpartition("/")[2] for name in bucket.names() if name.startswith("discogs/")]
    assert len(stored) == 4
    assert all(name.endswith(".xml.gz") for name in stored)
    assert bucket.unfinished() == []
    with new_database(server) as other:
        load_folder(connector(other, SCHEMA), folder, MONTH, Settings(workers=1), run_id="local")
        assert digests(database) == digests(other)
    export_month(folder, MONTH, tmp_path / "parquet", Settings(workers=2, shards=2))
    exported = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.parquet")
    }
    assert {n: bucket.read(n) for n in bucket.names() if n.endswith(".parquet")} == exported
    assert f"parquet/_manifest/{MONTH}.json" in bucket.names()

    monkeypatch.setenv("DISCOGS_KEEP_MONTHS", "0")
    run(CleanupOperator(task_id="t"), context())
    assert [name for name in bucket.names() if not name.startswith("parquet/")] == []


@pytest.mark.usefixtures("repository")
def test_an_address_that_airflow_has_no_filesystem_for_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISCOGS_STORAGE", "nowhere://bucket/dumps")

    with pytest.raises(InvalidSetting, match=r"DISCOGS_STORAGE is 'nowhere://bucket/dumps'"):
        fetched()
