from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from discogs.database.locking import advisory_lock
from discogs.load.locks import COMMAND, month_lock
from discogs.schema.entities import Entity, Month
from discogs.tracking import transitions
from discogs.tracking.model import RunIdentity, Status, Waiting, WaitReason
from discogs.tracking.postgres import PostgresMonthRepository

if TYPE_CHECKING:
    from discogs.database.connection import Connect

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]
RUN = RunIdentity("discogs_monthly", "one")
MAY, JUNE = Month(2018, 5), Month(2018, 6)


def complete(repository: PostgresMonthRepository, month: Month) -> None:
    repository.claim(month, RUN)
    repository.record_entity_stats(month, Entity.LABELS, {"read": 1200, "inserted": 30})
    repository.record_entity_stats(month, Entity.ARTISTS, {"read": 34, "updated": 4})
    for status in (Status.READY_FOR_PROCESSING, Status.PROCESSING, Status.COMPLETED):
        repository.move(month, status, run=RUN)


def test_migrating_twice_applies_once(run: Run, database: str) -> None:
    first = run("migrate", "--dsn", database)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("applied 0001_tracking (")
    assert "schema discogs is up to date, at " in first.stdout
    second = run("migrate", DISCOGS_DSN=database)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout.splitlines(keepends=True)[-1]


def test_search_indexes_are_built_and_dropped(run: Run, database: str) -> None:
    built = run("migrate", "--search", "--dsn", database)
    assert (built.returncode, built.stderr) == (0, "")
    assert "search indexes (" in built.stdout
    assert "built" not in run("migrate", "--dsn", database, DISCOGS_SEARCH="on").stdout
    kept = run("migrate", "--dsn", database)
    assert "search indexes" not in kept.stdout
    dropped = run("migrate", "--no-search", "--dsn", database)
    assert dropped.stdout.startswith("dropped ")
    assert "built" in run("migrate", "--dsn", database, DISCOGS_SEARCH="on").stdout


def test_migrating_another_schema_leaves_the_usual_one_out(run: Run, database: str) -> None:
    result = run("migrate", "--dsn", database, "--schema", "other")
    assert "schema other is up to date" in result.stdout
    assert "discogs migrate" in run("status", "--dsn", database).stderr
    assert run("status", "--dsn", database, DISCOGS_SCHEMA="other").returncode == 0


def test_an_empty_database_is_healthy(run: Run, database: str, connect: Connect) -> None:
    result = run("status", "--dsn", database)
    assert (result.returncode, result.stdout) == (0, "No month has been started yet.\n")


def test_the_status_has_a_line_per_month(run: Run, database: str, connect: Connect) -> None:
    repository = PostgresMonthRepository(connect)
    complete(repository, MAY)
    repository.claim(JUNE, RUN)
    result = run("status", "--dsn", database)
    assert (result.returncode, result.stderr) == (0, "")
    header, may, june = result.stdout.splitlines()
    assert header.split()[:2] == ["month", "status"]
    assert may.split()[:2] == ["2018-05", "completed"]
    assert may.split()[-4:] == ["1,234", "34", "0", "0"]
    assert june.split()[:2] == ["2018-06", "downloading"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_exit_code_is_1_for_a_failed_month_and_the_reason_is_printed(
    run: Run, database: str, connect: Connect, options: list[str]
) -> None:
    repository = PostgresMonthRepository(connect)
    complete(repository, MAY)
    repository.claim(JUNE, RUN)
    repository.move(JUNE, Status.FAILED, run=RUN, error_message="the disk is full")
    result = run("status", "--dsn", database, *options)
    assert result.returncode == 1
    said = json.loads(result.stdout)["problems"] if options else result.stderr.splitlines()
    assert said == ["2018-06 failed: the disk is full"]


def test_many_months_fit_on_a_screen(run: Run, database: str, connect: Connect) -> None:
    repository = PostgresMonthRepository(connect)
    for number in range(40):
        complete(repository, MAY.plus(number))

    first, header, *lines = run("status", "--dsn", database).stdout.splitlines()

    assert first == "22 months up to 2020-02: 22 completed (--json has them all)"
    assert header.startswith("month")
    assert [lines[0][:7], lines[-1][:7], len(lines)] == ["2020-03", "2021-08", 18]


def days_ago(connect: Connect, days: float, **columns: str) -> None:
    """Make June's row this old, and set some of its columns."""
    old = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=days)
    with connect() as conn:
        conn.execute("ALTER TABLE discogs_data_processing DISABLE TRIGGER ALL")
        conn.execute("UPDATE discogs_data_processing SET updated_at = %s", [old])
        for column, expression in columns.items():
            conn.execute(f"UPDATE discogs_data_processing SET {column} = {expression}")


def problems(run: Run, database: str) -> list[str]:
    """The problems that the command reports, the same as text and as JSON."""
    result, table = run("status", "--dsn", database, "--json"), run("status", "--dsn", database)
    found: list[str] = json.loads(result.stdout)["problems"]
    assert table.stderr.splitlines() == found
    assert table.returncode == result.returncode == bool(found)
    return found


@pytest.mark.parametrize("airflow", ["an-airflow", None])
def test_a_month_without_a_live_run_is_stuck(
    run: Run, database: str, connect: Connect, airflow: str | None
) -> None:
    repository = PostgresMonthRepository(connect)
    identity = RunIdentity("discogs_monthly", "one", airflow)
    repository.claim(JUNE, identity)
    for status in (Status.READY_FOR_PROCESSING, Status.PROCESSING):
        repository.move(JUNE, status, run=identity)
    assert problems(run, database) == []

    lease = {"alive_until": "now() - interval '5 days'"} if airflow else {}
    days_ago(connect, 5, **lease)

    (said,) = problems(run, database)
    assert said.startswith(
        "2018-06 is stuck: processing by discogs_monthly / one, which has sent no heartbeat"
    )
    assert "the new run takes the month over" in said


def test_a_month_of_a_killed_command_is_stuck(run: Run, database: str, connect: Connect) -> None:
    PostgresMonthRepository(connect).claim(JUNE, RunIdentity(COMMAND, "host:1"))
    with connect() as conn, advisory_lock(conn, month_lock("discogs", JUNE), wait=0):
        conn.rollback()
        assert problems(run, database) == []

    (said,) = problems(run, database)
    assert "stuck: downloading by command line / host:1" in said
    assert said.endswith("Run the load again.")


def test_a_wait_is_shown_while_its_run_is_alive(run: Run, database: str, connect: Connect) -> None:
    now = dt.datetime.now(dt.timezone.utc)
    waiting = Waiting(
        reason=WaitReason.SERVER_DOWN,
        message="The server is down.",
        since=now,
        next_look_at=now,
        gives_up_at=now + dt.timedelta(hours=20),
        run=RUN,
    )
    repository = PostgresMonthRepository(connect)
    repository.ensure(JUNE)
    repository.change(JUNE, lambda record, at: transitions.wait(record, waiting, now=at))

    assert problems(run, database) == []
    lines = run("status", "--dsn", database).stdout.splitlines()
    assert lines[1].split()[:2] == ["2018-06", "waiting"]
    assert lines[2] == f"2018-06: {waiting}"

    old = dataclasses.replace(waiting, next_look_at=now - dt.timedelta(hours=3))
    repository.change(JUNE, lambda record, at: transitions.wait(record, old, now=at))
    (said,) = problems(run, database)
    assert "stuck: waited for by discogs_monthly / one" in said
    assert "triggerer" in said


def test_the_exit_code_is_1_for_a_late_month(run: Run, database: str, connect: Connect) -> None:
    """The newest month that is loaded came out three months ago, and was loaded then."""
    today = dt.datetime.now(dt.timezone.utc).date()
    month = Month.of(today).plus(-3)
    complete(PostgresMonthRepository(connect), month)
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing SET processing_completed_at = %s", [month.first_day]
        )
    result = run("status", "--dsn", database, "--json")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["late"] in {str(Month.of(today)), str(Month.of(today).plus(-1))}
    assert report["problems"] == [run("status", "--dsn", database).stderr.strip()]
    assert f"{report['late']} is late" in report["problems"][0]
    assert not report["healthy"]


def test_the_status_as_json_holds_each_months_report(
    run: Run, database: str, connect: Connect
) -> None:
    repository = PostgresMonthRepository(connect)
    complete(repository, MAY)
    repository.record_file(MAY, "labels.xml.gz", size=7)
    report = json.loads(run("status", "--dsn", database, "--json").stdout)
    assert report["healthy"] is True
    assert report["problems"] == []
    assert report["late"] is None
    (month,) = report["months"]
    assert (month["year_month"], month["status"]) == ("2018-05", "completed")
    assert month["entities"]["labels"]["read"] == 1200
    assert month["files"][0]["size"] == 7
