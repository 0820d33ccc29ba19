"""The repository with two connections at the same time, and the tables' constraints."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import TupleRow

from discogs.schema.entities import Month
from discogs.tracking import reconciliation, transitions
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository

if TYPE_CHECKING:
    import datetime as dt

    from discogs.database.connection import Connect
    from discogs.tracking.model import MonthRecord

JULY = Month(2026, 7)


def test_a_claim_that_comes_second_waits_for_the_first_and_gets_nothing(connect: Connect) -> None:
    """Both have read the row as not claimed before either writes it."""
    both_have_read = threading.Barrier(2)
    repository = PostgresMonthRepository(connect)
    repository.ensure(JULY)
    claims = {}

    def claim(name: str) -> None:
        run, hesitate = RunIdentity("discogs_monthly", name), [both_have_read]

        def rule(record: MonthRecord, now: dt.datetime) -> MonthRecord | None:
            while hesitate:
                hesitate.pop().wait(10)
            return transitions.claim(record, run=run, now=now)

        claims[name] = repository.change(JULY, rule)

    threads = [threading.Thread(target=claim, args=[name]) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(record is not None for record in claims.values()) == [False, True]


def test_a_task_that_begins_while_another_fails_does_not_hide_the_failure(
    connect: Connect,
) -> None:
    repository, run = PostgresMonthRepository(connect), RunIdentity("discogs_monthly", "one")
    claimed = repository.claim(JULY, run)
    assert claimed is not None
    since = claimed.updated_at

    def begin(record: MonthRecord, now: dt.datetime) -> MonthRecord:
        """The task reads the row, and before it writes the other one fails."""
        if record.status is not Status.FAILED:
            reconciliation.record_failure(repository, JULY, run, "the cause")
        return transitions.enter(record, Status.READY_FOR_PROCESSING, run=run, since=since, now=now)

    repository.change(JULY, begin)

    record = repository.get(JULY)
    assert record is not None
    assert (record.status, record.error_message) == (Status.FAILED, "the cause")


def test_a_repository_opens_and_closes_a_connection_a_call(connect: Connect) -> None:
    opened: list[psycopg.Connection[TupleRow]] = []

    def counted() -> psycopg.Connection[TupleRow]:
        opened.append(connect())
        return opened[-1]

    repository = PostgresMonthRepository(counted)
    repository.ensure(JULY)
    repository.claim(JULY, RunIdentity("d", "r"))
    assert len(opened) == 2
    assert all(conn.closed for conn in opened)


def test_another_time_zone_of_the_connection_does_not_show(connect: Connect) -> None:
    def elsewhere() -> psycopg.Connection[TupleRow]:
        conn = connect()
        conn.execute("SET timezone TO 'Asia/Kathmandu'")
        conn.commit()
        return conn

    assert PostgresMonthRepository(elsewhere).ensure(JULY) == PostgresMonthRepository(connect).get(
        JULY
    )


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("year_month", "2026-13", "year_month_is_a_month"),
        ("year_month", "26-1", "year_month_is_a_month"),
        ("retry_count", -1, "retry_count_is_not_negative"),
    ],
)
def test_the_table_itself_refuses_what_is_no_month_and_no_count(
    connect: Connect, column: str, value: object, constraint: str
) -> None:
    PostgresMonthRepository(connect).ensure(JULY)
    with connect() as conn, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        conn.execute(f"UPDATE discogs_data_processing SET {column} = %s", [value])


def test_the_enum_of_the_table_is_the_enum_of_the_model(connect: Connect) -> None:
    with connect() as conn:
        row = conn.execute("SELECT enum_range(NULL::processing_status)::text[]").fetchone()
    assert row == ([str(status) for status in Status],)


def test_every_column_has_a_comment(connect: Connect) -> None:
    with connect() as conn:
        rows = conn.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
            " AND c.relname LIKE 'discogs_data_processing%' AND a.attnum > 0"
            " AND col_description(c.oid, a.attnum) IS NULL"
        ).fetchall()
    assert rows == []
