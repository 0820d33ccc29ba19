"""A task that is stopped by SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from discogs.airflow.operators.base import DiscogsOperator, TaskStopped
from discogs.database.connection import Connect
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.operators.steps import context


class Sleeper(DiscogsOperator):
    """Runs a statement that would take a minute."""

    def work(self, context: Any) -> None:
        with self.postgres.connect() as conn:
            conn.execute("SELECT pg_sleep(60)")


def test_a_task_that_is_stopped_cancels_its_statement_and_ends(
    repository: PostgresMonthRepository, connect: Connect
) -> None:
    operator = Sleeper(task_id="t")
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGTERM])
    timer.start()
    started = time.monotonic()
    try:
        with pytest.raises(TaskStopped):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGTERM, before)
        timer.join()

    assert time.monotonic() - started < 10
    with connect() as conn:
        running = conn.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'active'"
            " AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert running == (0,)


def test_after_its_end_a_task_cannot_be_stopped() -> None:
    Sleeper(task_id="t").on_kill()
