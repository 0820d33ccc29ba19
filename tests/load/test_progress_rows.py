"""The progress of a load in the database, and the history of a month's loads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from discogs.database.connection import Connect
from discogs.database.errors import DatabaseUnavailable
from discogs.progress import Parts, Progress
from discogs.schema.entities import Entity, Month
from discogs.tracking import progress as rows
from discogs.tracking.postgres import PostgresMonthRepository
from discogs.tracking.report import MonthReport
from tests.load.conftest import MONTHS, load

pytestmark = pytest.mark.slow

MONTH = MONTHS[0]


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(rows, "EVERY_SECONDS", 0.01)


def stored(connect: Connect) -> list[tuple[object, ...]]:
    with connect() as conn:
        return conn.execute(
            "SELECT entity, step, shard, done, total, unit, records, detail,"
            " finished_at IS NOT NULL FROM load_progress ORDER BY started_at, step"
        ).fetchall()


def until(connect: Connect, expected: list[tuple[object, ...]]) -> None:
    end = time.monotonic() + 10
    while (found := stored(connect)) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert found == expected


def staging(done: int, seconds: float = 3) -> Progress:
    return Progress(step="stage", name="labels", done=done, total=9, seconds=seconds, records=done)


@pytest.mark.usefixtures("quickly")
def test_the_progress_of_a_step_is_in_the_database_until_it_ends(connect: Connect) -> None:
    with rows.recorded(connect, MONTH, Entity.LABELS) as report:
        report(staging(3))
        until(connect, [("labels", "stage", 0, 3, 9, "bytes", 3, None, False)])
        report(staging(5))
        until(connect, [("labels", "stage", 0, 5, 9, "bytes", 5, None, False)])
        parts = Parts("keys", "labels", 2, report)
        with parts.part("index labels_pkey of labels"):
            until(
                connect,
                [
                    ("labels", "stage", 0, 5, 9, "bytes", 5, None, True),
                    (
                        "labels",
                        "keys",
                        0,
                        0,
                        2,
                        "parts",
                        None,
                        "index labels_pkey of labels",
                        False,
                    ),
                ],
            )
    assert [row[-1] for row in stored(connect)] == [True, True]
    with connect() as conn:
        (age,) = conn.execute(
            "SELECT extract(epoch FROM updated_at - started_at)::float8 FROM load_steps"
            " WHERE step = 'stage'"
        ).fetchone() or (0,)
    assert 3 <= age < 20
    rows.clear(connect, MONTH)
    assert stored(connect) == []


@pytest.mark.usefixtures("quickly")
def test_a_step_that_fails_leaves_its_progress(connect: Connect) -> None:
    def fail() -> None:
        with rows.recorded(connect, MONTH, Entity.LABELS) as report:
            report(staging(3))
            until(connect, [("labels", "stage", 0, 3, 9, "bytes", 3, None, False)])
            report(staging(4))
            raise DatabaseUnavailable("lost")

    with pytest.raises(DatabaseUnavailable, match="lost"):
        fail()
    assert stored(connect) == [("labels", "stage", 0, 4, 9, "bytes", 4, None, False)]


@pytest.mark.usefixtures("quickly")
def test_a_running_step_updates_its_row(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ALIVE_SECONDS", 0.05)

    def updated() -> object:
        with connect() as conn:
            return conn.execute("SELECT updated_at FROM load_steps").fetchone()

    with rows.recorded(connect, MONTH, Entity.LABELS) as report:
        report(staging(3))
        until(connect, [("labels", "stage", 0, 3, 9, "bytes", 3, None, False)])
        first, end = updated(), time.monotonic() + 10
        while updated() == first and time.monotonic() < end:
            time.sleep(0.02)
        assert updated() != first


def test_a_short_step_opens_no_connection(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "FIRST_SECONDS", 60.0)
    opened: list[int] = []

    def counted() -> psycopg.Connection:
        opened.append(1)
        return connect()

    with rows.recorded(counted, MONTH, Entity.LABELS) as report:
        report(staging(3))
    assert opened == []


@pytest.mark.usefixtures("quickly")
def test_a_database_that_does_not_answer_neither_slows_nor_fails_a_step(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses() -> psycopg.Connection:
        raise DatabaseUnavailable("PostgreSQL is not reachable")

    with rows.recorded(refuses, MONTH, Entity.LABELS) as report:
        for done in range(9):
            report(staging(done))
            time.sleep(0.02)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warnings == ["The progress of labels is not recorded: PostgreSQL is not reachable"]
    rows.clear(refuses, MONTH)

    with connect() as holder:  # somebody has the table locked
        holder.execute("LOCK TABLE load_steps")
        started = time.monotonic()
        with rows.recorded(connect, MONTH, Entity.LABELS) as report:
            report(staging(3))
            time.sleep(0.1)
        assert time.monotonic() - started < 8


@contextmanager
def slow(dsn: str, table: str) -> Iterator[None]:
    """Delay each statement that writes to a table, so that its progress can be observed."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$"
        )
        conn.execute(
            f"CREATE TRIGGER wait AFTER INSERT ON discogs.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION public.wait()"
        )
        yield
        conn.execute("DROP FUNCTION public.wait CASCADE")


@pytest.mark.usefixtures("quickly")
def test_the_current_step_of_a_load_is_in_the_database(
    database: str, connect: Connect, dumps: Path
) -> None:
    load(database, dumps, MONTH)
    seen: set[tuple[object, ...]] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            seen.update((row[0], row[1], row[7]) for row in stored(connect))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with slow(database, "release_tracks"):
            load(database, dumps, MONTHS[1])
    finally:
        ended.set()
        watcher.join()
    assert ("releases", "merge", "release_tracks") in seen
    # After the load, no progress is left.
    assert stored(connect) == []


def test_a_month_that_is_loaded_again_keeps_its_numbers(
    database: str, connect: Connect, dumps: Path
) -> None:
    for month in MONTHS[:2]:
        load(database, dumps, month)
    before = of_month(connect, MONTHS[1])
    again = load(database, dumps, MONTHS[1])
    # The load's own report says what it did; the month's has all its loads.
    assert {e.total("inserted", "updated", "removed", "restored") for e in again.entities} == {0}
    after = of_month(connect, MONTHS[1])
    counts = ("read", "unchanged", "inserted", "updated", "removed", "restored", "rejected")
    for old, new in zip(before.entities, after.entities, strict=True):
        assert {n: getattr(new, n) for n in counts} == {n: getattr(old, n) for n in counts}
        assert (old.loads, new.loads) == (1, 2)
    assert sum(e.total("inserted", "updated") for e in after.entities) > 0
    with connect() as conn:
        loads = conn.execute(
            "SELECT year_month, entity, count(*), count(DISTINCT generation), min(run_id)"
            " FROM entity_loads WHERE year_month = %s GROUP BY 1, 2 ORDER BY 2",
            [str(MONTHS[1])],
        ).fetchall()
    assert loads == [
        (str(MONTHS[1]), name, 2, 2, "test")
        for name in ("artists", "labels", "masters", "releases")
    ]


def test_the_guard_compares_with_the_last_load_of_the_month_before(
    database: str, connect: Connect, dumps: Path
) -> None:
    load(database, dumps, MONTHS[0])
    with connect() as conn:  # an earlier load, of a dump that held much more
        conn.execute(
            "INSERT INTO entity_loads (year_month, entity, generation, records, report)"
            " SELECT year_month, entity, 0, records * 10, report FROM entity_loads"
        )
    report = load(database, dumps, MONTHS[1])
    assert all(check["passed"] for check in report.checks)
    names = [check["name"] for check in report.checks]
    assert len(names) == len(set(names))
    load(database, dumps, MONTHS[1])


def of_month(connect: Connect, month: Month) -> MonthReport:
    record = PostgresMonthRepository(connect).get(month)
    assert record is not None
    return MonthReport.of(record)
