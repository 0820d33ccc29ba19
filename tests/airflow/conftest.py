"""What the tests of Airflow's face share. Its environment is set one folder above."""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Airflow's own, at its import
    import airflow.sdk  # noqa: F401

if TYPE_CHECKING:
    from discogs.database.connection import Connect
    from discogs.demo.client import AirflowClient, TaskState
    from discogs.demo.stack import Stack
    from discogs.tracking.model import MonthRecord

# Nothing that is lost with the machine matters here.
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
DAG_ID = "discogs_monthly"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pathspec deprecates what Airflow calls while it looks for DAGs and plugins.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
            )


@dataclass(frozen=True)
class RunningAirflow:
    """A real Airflow with the DAG unpaused, a mirror, and the target database.

    :param dumps: the folder that the mirror serves; a test puts months of its own there.
    """

    stack: Stack
    client: AirflowClient
    connect: Connect

    @property
    def dumps(self) -> Path:
        return self.stack.home.dumps

    def load(self, month: str, *, timeout: float = 180, **conf: object) -> tuple[str, str]:
        """Run the DAG for a month; the run's id and its state at the end."""
        run_id = self.client.trigger(DAG_ID, partition_key=month, conf=conf)
        return run_id, self.client.wait(DAG_ID, run_id, timeout=timeout)

    def wait(self, run_id: str, timeout: float = 180) -> str:
        return self.client.wait(DAG_ID, run_id, timeout=timeout)

    def tasks(self, run_id: str) -> dict[str, TaskState]:
        """The run's task instances by name, such as ``download [releases]``."""
        return {task.name: task for task in self.client.task_states(DAG_ID, run_id)}

    def states(self, run_id: str) -> dict[str, str | None]:
        return {name: task.state for name, task in self.tasks(run_id).items()}

    def month(self, month: str) -> MonthRecord:
        """The month's tracking row."""
        from discogs.catalogue import Month
        from discogs.tracking.postgres import PostgresMonthRepository

        record = PostgresMonthRepository(self.connect).get(Month.parse(month))
        assert record is not None, f"{month} has no tracking row"
        return record

    def log(self, run_id: str, task_id: str, *, map_index: int = -1, try_number: int = 1) -> str:
        return self.client.logs(DAG_ID, run_id, task_id, map_index=map_index, try_number=try_number)

    def count(self, table: str) -> int:
        from psycopg import sql

        with self.connect() as conn:
            statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            row = conn.execute(statement).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="session")
def airflow_stack() -> Iterator[RunningAirflow]:
    """A real Airflow for the whole session, as ``make demo`` starts it, in a home of its own.

    Tasks are tried once, so that a test sees the first failure; waits are short.
    """
    from discogs.database import embedded
    from discogs.database.connection import connector
    from discogs.demo import stack as local
    from discogs.demo.home import Home

    home = Home(Path(tempfile.mkdtemp(prefix="discogs-airflow-", dir="/tmp")))
    home.folder.chmod(0o755)
    home.dumps.mkdir()
    plan = local.Plan(
        port=0,
        environment={
            "DISCOGS_TASK_RETRIES": "0",
            "DISCOGS_POLL_SECONDS": "2",
            "DISCOGS_PROGRESS_SECONDS": "1",
            "DISCOGS_PARSE_WORKERS": "2",
        },
    )
    try:
        embedded.start(home.postgres, settings=QUICK)
        stack = local.start(home, plan)
        client = stack.client()
        client.pause(DAG_ID, False)
        yield RunningAirflow(stack, client, connector(stack.dsn, "discogs"))
        client.close()
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
