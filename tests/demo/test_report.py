"""The report of the demo, on the test's own database."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from demo import run
from demo.environment import Plan
from demo.home import Home
from demo.stack import Stack
from discogs.database.connection import Connect
from discogs.schema.entities import Month
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository

pytestmark = pytest.mark.slow

MONTH = Month(2026, 9)
RUN = RunIdentity("discogs_monthly", "a run")


def reported(folder: Path, dsn: str) -> tuple[bool, str]:
    screen = io.StringIO()
    stack = Stack(home=Home(folder), plan=Plan(), port=8080, dsn=dsn)
    done = run.report(stack, {MONTH: RUN.run_id}, Console(file=screen, width=200))
    return done, screen.getvalue()


def test_a_month_that_failed_says_why(tmp_path: Path, database: str, connect: Connect) -> None:
    repository = PostgresMonthRepository(connect)
    repository.claim(MONTH, RUN)
    why = "download [releases]: only 3 GB of /disk are free"
    repository.move(MONTH, Status.FAILED, run=RUN, error_message=why)

    done, said = reported(tmp_path, database)

    assert not done
    assert why in said


def test_placeholders_are_counted_and_explained(
    tmp_path: Path, database: str, connect: Connect
) -> None:
    with connect() as conn:
        conn.execute(
            "INSERT INTO labels (id, name, dump_month, placeholder)"
            " VALUES (1, 'one', '2026-09-01', false), (2, NULL, '2026-09-01', true)"
        )
        conn.commit()

    _, said = reported(tmp_path, database)

    (line,) = [line for line in said.splitlines() if " labels " in line]
    assert [cell.strip() for cell in line.split("│")[1:4]] == ["labels", "2", "1"]
    assert "The rows include placeholders" in said
