"""Fixtures of the tests of the Airflow package. tests/conftest.py sets the environment."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.airflow.receivers import StatsD, Webhook
from tests.airflow.running import DAG_ID, RunningAirflow
from tests.conftest import PROJECT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Airflow's own, at its import
    import airflow.sdk  # noqa: F401

# The databases need not survive a crash of the machine.
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
LOG_SHOWN = 8000  # characters of each log that a failed test shows
WEBHOOK_SECRET = "T0/B0/verysecret"
# The project's DAGs folder, the examples, and the tests' own DAGs.
BUNDLES = [
    {
        "name": path.replace("/", "_"),
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(PROJECT / path)},
    }
    for path in ("dags", "examples", "tests/airflow/dags")
]
POLICY = Path(__file__).parent / "policy" / "airflow_local_settings.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pathspec deprecates what Airflow calls while it looks for DAGs and plugins.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what Airflow logged with a failure, since its folder is deleted at the end."""
    report = yield
    running = getattr(item, "funcargs", {}).get("airflow_stack")
    if report.failed and call.when == "call" and running is not None:
        for path in sorted(running.stack.home.folder.rglob("*.log")):
            if path.stat().st_mtime >= call.start:
                text = path.read_text(errors="replace")
                report.sections.append(
                    (f"the end of {path.name}: {path.parent}", text[-LOG_SHOWN:])
                )
    return report


@pytest.fixture(autouse=True)
def _whole_airflow(request: pytest.FixtureRequest) -> None:
    """Restore the running Airflow for each test that uses it."""
    if "airflow_stack" in request.fixturenames:
        request.getfixturevalue("airflow_stack").begin()


@pytest.fixture(autouse=True)
def _airflow_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """The id of the Airflow installation; see :mod:`discogs.airflow.installation`."""
    monkeypatch.setenv("AIRFLOW_VAR_DISCOGS_AIRFLOW_ID", "tests")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, database: str) -> dict[str, object]:
    """The connection ``discogs_postgres``, to the test's own database."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(database)
    connection: dict[str, object] = {
        "conn_type": "postgres",
        "host": parts.get("host", "localhost"),
        "port": int(parts.get("port") or 5432),
        "login": parts.get("user", "postgres"),
        "password": parts.get("password", ""),
        "schema": parts["dbname"],
    }
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_POSTGRES", json.dumps(connection))
    return connection


def _postgres(dsn: str) -> str:
    """A connection to a database, as Airflow reads it from its environment."""
    parts = conninfo_to_dict(dsn)
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": parts["host"],
            "port": int(parts["port"] or 5432),
            "login": parts["user"],
            "schema": parts["dbname"],
        }
    )


def _alerts_and_metrics(webhook: Webhook, statsd: StatsD) -> dict[str, str]:
    """The environment of an Airflow that sends all alerts and metrics."""
    receiver = {"conn_type": "http", "host": f"{webhook.url}/services", "password": WEBHOOK_SECRET}
    return {
        "AIRFLOW_CONN_DISCOGS_ALERTS": json.dumps(receiver),
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "DISCOGS_ALERTS": "all",
        "DISCOGS_LATE_AFTER_DAYS": "1",
    }


@pytest.fixture(scope="session")
def webhook() -> Iterator[Webhook]:
    """Receives the alerts of the session's Airflow."""
    webhook = Webhook()
    yield webhook
    webhook.close()


@pytest.fixture(scope="session")
def statsd() -> Iterator[StatsD]:
    """Receives the metrics of the session's Airflow."""
    statsd = StatsD()
    yield statsd
    statsd.close()


@pytest.fixture(scope="session")
def airflow_stack(webhook: Webhook, statsd: StatsD) -> Iterator[RunningAirflow]:
    """A real Airflow for the whole session, as ``make up`` starts it, in a temporary home.

    Tasks are tried once, so that a test sees the first failure; waits are short. The mirror of
    dumps is in this process, so that a test can make it misbehave.
    """
    from demo import embedded
    from demo import stack as local
    from demo.environment import Plan
    from demo.home import Home
    from discogs.database.connection import connector
    from discogs.sample.mirror import Mirror

    home = Home(Path(tempfile.mkdtemp(prefix="discogs-airflow-", dir="/tmp")))
    home.folder.chmod(0o755)
    for folder in (home.dumps, home.folder / "faults", home.folder / "airflow" / "config"):
        folder.mkdir(parents=True)
    shutil.copy(POLICY, home.folder / "airflow" / "config")
    try:
        server = embedded.start(home.postgres, settings=QUICK)
        second = embedded.ensure_database(server, "discogs_second")
        with Mirror(home.dumps) as mirror:
            plan = Plan(
                mode="up",
                port=0,
                environment={
                    "AIRFLOW_CONN_DISCOGS_DUMPS": json.dumps(
                        {"conn_type": "http", "host": mirror.url}
                    ),
                    "DISCOGS_TEST_FAULTS": str(home.folder / "faults"),
                    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
                    # Parsing a file takes half a second of processor time, and no test changes one.
                    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
                    "DISCOGS_POLL_SECONDS": "2",
                    "DISCOGS_WORKERS": "2",
                    "AIRFLOW_CONN_DISCOGS_SECOND_POSTGRES": _postgres(second),
                    **_alerts_and_metrics(webhook, statsd),
                },
            )
            stack = local.start(home, plan)
            watch = stack.watch()
            webhook.on_poll = watch.check
            client = stack.client(watch.check)
            client.pause(DAG_ID, False)
            connect = connector(stack.dsn, "discogs")
            yield RunningAirflow(stack, client, watch, connect, mirror, webhook, statsd)
            client.close()
            local.stop(home)
    except BaseException:
        for path in sorted(home.logs.glob("*.log")):
            tail = "\n".join(path.read_text(errors="replace").splitlines()[-15:])
            sys.stderr.write(f"--- {path.name}\n{tail}\n")
        raise
    finally:
        local.stop(home)
        left = local.left(home)
        shutil.rmtree(home.folder)
        assert not left, f"left behind: {left}"
