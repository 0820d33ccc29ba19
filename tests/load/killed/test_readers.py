"""A first load swaps its tables in beside slow readers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from discogs.schema.entities import Entity, Month
from tests.load.killed.gate import Gate, Point
from tests.load.killed.killing import (
    FIRST,
    Load,
    Prepared,
    load,
    outcome,
    readers,
    state,
    states,
)

pytestmark = pytest.mark.slow

Start = Callable[[Month], str]

LOCKING = "LOCK TABLE discogs."
LOOKING = "virtualtransaction"


def count(gate: Gate, text: str) -> int:
    return sum(text in statement for statement in list(gate.statements))


def wait_for(gate: Gate, command: Load, text: str, times: int) -> None:
    """Wait until the load has attempted something a number of times."""
    end = time.monotonic() + 60
    while count(gate, text) < times:
        assert command.process.poll() is None, command.end()
        assert time.monotonic() < end, f"never came to {text}"
        time.sleep(0.02)


@contextmanager
def session(dsn: str) -> Iterator[psycopg.Connection]:
    """A user's session, which does not wait for anything longer than two seconds."""
    with psycopg.connect(dsn, application_name="somebody") as conn:
        conn.execute("SET lock_timeout TO '2s'")
        conn.commit()
        yield conn


def test_a_long_query_delays_the_swap_and_no_other_reader(prepared: Prepared, start: Start) -> None:
    dsn = start(FIRST)
    with session(dsn) as slow, session(dsn) as quick:
        slow.execute("SELECT count(*) FROM discogs.labels")
        with (
            readers(dsn, *prepared.states[FIRST]),
            Gate(dsn, None, lambda: True) as gate,
            Load(gate.dsn, prepared.folder, FIRST) as command,
        ):
            wait_for(gate, command, LOCKING, 2)
            while count(gate, LOCKING) < 5:
                assert state(quick, Entity.LABELS) == prepared.states[FIRST][0][Entity.LABELS]
                quick.commit()
            # It holds one of the tables, and asks for the others while the load tries for all.
            for table in ("label_urls", "label_images", "label_sublabels"):
                slow.execute(f"SELECT count(*) FROM discogs.{table}")
            slow.commit()
            code, said = command.end()
    assert code == 0, said
    assert outcome(dsn) == prepared.outcomes[FIRST]


def test_a_reader_who_never_ends_is_named_and_nothing_changes(
    prepared: Prepared, start: Start
) -> None:
    dsn = start(FIRST)
    with session(dsn) as slow:
        slow.execute("SELECT count(*) FROM discogs.artist_urls")
        with Load(dsn, prepared.folder, FIRST, swap_seconds=1) as command:
            code, said = command.end()
        assert code == 1
        assert "The tables of artists could not be swapped in within 1 seconds" in said
        assert f"server process {slow.info.backend_pid} (somebody, user " in said
        assert "on artist_urls" in said
        before, after = prepared.states[FIRST]
        assert states(dsn) == {**before, Entity.LABELS: after[Entity.LABELS]}
        slow.rollback()
    load(dsn, prepared.folder, FIRST)
    assert outcome(dsn) == prepared.outcomes[FIRST]


def test_tables_that_fill_before_the_swap_are_merged_into(prepared: Prepared, start: Start) -> None:
    dsn = start(FIRST)

    def fill() -> bool:
        with psycopg.connect(dsn) as conn:
            conn.execute("INSERT INTO discogs.labels (id, placeholder) VALUES (900000001, true)")
        return True

    with Gate(dsn, Point("swap", LOCKING), fill) as gate:
        load(gate.dsn, prepared.folder, FIRST)
        assert gate.reached.is_set()
    assert outcome(dsn) == prepared.outcomes[FIRST]


def test_a_first_load_that_is_merged_below_a_materialized_view_writes_no_changes(
    prepared: Prepared, start: Start
) -> None:
    dsn = start(FIRST)
    with psycopg.connect(dsn) as conn:
        for entity in Entity:
            view = f"CREATE MATERIALIZED VIEW public.my_{entity}"
            conn.execute(f"{view} AS SELECT id FROM discogs.{entity}")
    load(dsn, prepared.folder, FIRST)
    assert outcome(dsn) == prepared.outcomes[FIRST]
    with psycopg.connect(dsn) as conn:
        conn.execute("REFRESH MATERIALIZED VIEW public.my_releases")
        row = conn.execute("SELECT count(*) FROM public.my_releases").fetchone()
    assert row is not None
    assert row[0] > 0


def test_an_older_snapshot_never_sees_half_of_the_rows(prepared: Prepared, start: Start) -> None:
    dsn = start(FIRST)
    with session(dsn) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        def look() -> bool:
            old.execute("SELECT txid_current_snapshot()")
            return True

        # Some of the releases are committed to staging by then, and some are not.
        point = Point("some rows", r"^COMMIT after COPY discogs_staging\.release", when="answered")
        with (
            Gate(dsn, point, look) as gate,
            Load(gate.dsn, prepared.folder, FIRST) as command,
        ):
            wait_for(gate, command, LOOKING, 4)
            before, _ = prepared.states[FIRST]
            for entity in Entity:
                assert state(old, entity) == before[entity]
            old.rollback()
            assert command.end() == (0, "")
    assert outcome(dsn) == prepared.outcomes[FIRST]


def test_an_older_snapshot_that_never_ends_is_named(prepared: Prepared, start: Start) -> None:
    dsn = start(FIRST)
    with session(dsn) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT txid_current_snapshot()")
        pid = old.info.backend_pid
        with Load(dsn, prepared.folder, FIRST, swap_seconds=1) as command:
            code, said = command.end()
    assert code == 1
    assert f"server process {pid} (somebody, user " in said
    assert states(dsn) == prepared.states[FIRST][0]
