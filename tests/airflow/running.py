"""A real Airflow for tests, and what tests do with it.

A test must not wait for what cannot come any more: every wait fails at once when a component of
Airflow has ended, with the end of its log. The component is started again, and each test begins
with all of them alive, no run of an earlier test at work and no fault left over.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from demo import processes
from demo.client import AirflowClient, TaskState
from demo.stack import Stack
from discogs.database.connection import Connect
from discogs.errors import DiscogsError
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from discogs.tracking.model import MonthRecord, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.receivers import StatsD, Webhook, wait
from tests.sample.odd_records import write_months

DAG_ID = "discogs_monthly"
AT_WORK = ("queued", "running")


@dataclass(frozen=True)
class RunningAirflow:
    """A real Airflow with the DAG unpaused, a mirror, and the target database.

    :param mirror: serves the folder ``dumps``, into which a test puts months of its own, and
        misbehaves as it is asked to.
    :param watch: notices components that end.
    """

    stack: Stack
    client: AirflowClient
    watch: processes.Watch
    connect: Connect
    mirror: Mirror
    webhook: Webhook
    statsd: StatsD

    @property
    def dumps(self) -> Path:
        return self.stack.home.dumps

    def begin(self) -> None:
        """Give the next test an Airflow that is healthy and idle."""
        run = self.stack.home.run
        wait(
            lambda: len(processes.running(run)) == 4 and not self.client.unhealthy(),
            what="Airflow is whole again",
            explain=lambda: f"it lacks {self.client.unhealthy()}",
        )
        self.watch.news()  # ended in the last test
        self.mirror.clear_faults()
        for left in self.client.runs("~", AT_WORK):
            self.client.set_run_state(left["dag_id"], left["dag_run_id"], "failed")
        running = {"state": "running"}
        self.until(
            "nothing of earlier tests runs",
            lambda: (
                not self.client.call("GET", "dags/~/dagRuns/~/taskInstances", params=running)[
                    "total_entries"
                ]
            ),
        )

    def load(self, month: str, **conf: object) -> tuple[str, str]:
        """Run the DAG for a month; the run's id and its state at the end."""
        run_id = self.client.trigger(DAG_ID, partition_key=month, conf=conf)
        return run_id, self.wait(run_id)

    def ensure_loaded(self, month: Month, **sample: Any) -> str:
        """Load a month, unless an earlier test has; returns the id of its run.

        :param sample: how its files are made where they are not there.
        """
        if not list(self.dumps.glob(f"discogs_{month.first_day:%Y%m%d}_*")):
            write_months(self.dumps, month, **sample)
        with contextlib.suppress(DiscogsError):  # there may be no table yet
            record = PostgresMonthRepository(self.connect).get(month)
            if record is not None and record.status is Status.COMPLETED and record.run_id:
                return record.run_id
        run_id, state = self.load(str(month))
        assert state == "success", self.states(run_id)
        return run_id

    def wait(self, run_id: str) -> str:
        """Wait until a run has ended; returns its state."""
        return self.client.wait(DAG_ID, run_id)

    def until(self, what: str, holds: Callable[[], Any]) -> Any:
        """Wait until ``holds`` returns something true, and return it.

        Fails when a component of Airflow ends, or, with what everything is doing, when it takes
        too long for any machine.
        """
        return wait(holds, what=what, on_poll=self.watch.check, explain=self.situation)

    def until_deferred(self, run_id: str) -> None:
        """Wait until ``wait_for_dump`` is in the triggerer, and the scheduler has seen it go.

        Airflow 3.3.2 fails a task that is resumed before it has: the end of the process that
        deferred it has the same try number.
        """
        key = f"task_id='wait_for_dump', run_id='{run_id}'"
        task = self.client.wait_for_task(DAG_ID, run_id, "wait_for_dump", ["deferred"])
        ended = re.compile(
            rf"Received executor event.*{re.escape(key)}, try_number={task.try_number}"
        )
        log = self.stack.home.logs / "scheduler.log"
        self.until("the scheduler has seen it", lambda: ended.search(log.read_text()))

    def situation(self) -> str:
        """The state of Airflow and of the tracking table, for the message of a failed test."""
        lines = []
        for run in self.client.runs("~", AT_WORK):
            tasks = self.client.task_states(run["dag_id"], run["dag_run_id"])
            states = ", ".join(f"{task.name}: {task.state}" for task in tasks)
            lines.append(f"{run['dag_id']} {run['dag_run_id']} is {run['state']}: {states}")
        with contextlib.suppress(psycopg.Error):  # the tables may not be there
            lines += [
                f"{row.month}: {row.status} ({row.error_message})"
                for row in PostgresMonthRepository(self.connect).all()
            ]
        return "\n".join(lines)

    @contextlib.contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Stop a component such as ``scheduler``; it is restarted afterwards."""
        run = self.stack.home.run
        supervisor, process = processes.supervising(run), processes.running(run)[name]
        assert supervisor is not None
        supervisor.suspend()  # it would restart the component at once
        try:
            process.terminate()
            wait(lambda: name not in processes.running(run), what=f"{name} ends")
            yield
        finally:
            supervisor.resume()
            wait(lambda: name in processes.running(run), what=f"{name} is started again")
            self.watch.news()

    def delete_dag(self) -> None:
        """Delete the DAG with all its runs, of which no task may be running.

        Without the scheduler: Airflow 3.3.2's ends with ObjectDeletedError when a run that it has
        in hand is deleted.
        """
        with self.without("scheduler"):
            self.client.call("DELETE", f"dags/{DAG_ID}")

    def tasks(self, run_id: str) -> dict[str, TaskState]:
        """The run's task instances by name, such as ``download [releases]``."""
        return {task.name: task for task in self.client.task_states(DAG_ID, run_id)}

    def states(self, run_id: str) -> dict[str, str | None]:
        return {name: task.state for name, task in self.tasks(run_id).items()}

    def month(self, month: str) -> MonthRecord:
        """The month's tracking row."""
        record = PostgresMonthRepository(self.connect).get(Month.parse(month))
        assert record is not None, f"{month} has no tracking row"
        return record

    def log(self, run_id: str, task_id: str, *, map_index: int = -1, try_number: int = 1) -> str:
        return self.client.logs(DAG_ID, run_id, task_id, map_index=map_index, try_number=try_number)

    def execute(self, *statements: str) -> None:
        """Run statements in the target database, each committed."""
        with self.connect() as conn:
            for statement in statements:
                conn.execute(statement.encode())
                conn.commit()

    def start_afresh(self) -> None:
        """Leave nothing of earlier tests in the target database or the mirror's folder."""
        self.begin()
        self.execute(
            "DROP SCHEMA IF EXISTS discogs CASCADE", "DROP SCHEMA IF EXISTS discogs_staging CASCADE"
        )
        for path in self.dumps.iterdir():
            path.unlink()

    def fault(self, name: str) -> Path:
        """The file by which the tests' cluster policy makes a task fail, or run out of time."""
        return self.stack.home.folder / "faults" / name

    def count(self, table: str) -> int:
        with self.connect() as conn:
            statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            row = conn.execute(statement).fetchone()
        assert row is not None
        return int(row[0])
