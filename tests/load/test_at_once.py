"""Several months loaded at the same time into one database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from discogs.database.connection import Connect, connector
from discogs.load.errors import StagingStale
from discogs.load.merge import merge
from discogs.load.stage import stage
from discogs.schema.entities import Entity, Month
from tests.conftest import SCHEMA
from tests.content import difference, dump_file, staging_tables
from tests.dump_files import write_dump
from tests.load.conftest import FIRST, LENIENT, MONTHS, load
from tests.load.killed.killing import Load
from tests.sample.odd_records import write_months

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]


def stage_and_merge(dsn: str, folder: Path, month: Month, ready: threading.Barrier) -> None:
    """Stage and merge a month's files, without waiting for other months."""
    connect = connector(dsn, SCHEMA)

    def put(entity: Entity) -> None:
        path = dump_file(folder, str(entity), str(month))
        with path.open("rb") as packed:
            stage(connect, packed, name=path.name, entity=entity, month=month, settings=LENIENT)

    for entity in Entity:
        put(entity)
    ready.wait()
    for entity in Entity:
        while True:
            try:
                merge(connect, entity=entity, month=month, settings=LENIENT)
                break
            except StagingStale:
                put(entity)


def test_two_concurrent_first_loads_both_end(dumps: Path, fresh: Fresh) -> None:
    at_once, in_order = fresh(), fresh()
    ready = threading.Barrier(len(MONTHS))
    with ThreadPoolExecutor(len(MONTHS)) as pool:
        futures = [pool.submit(stage_and_merge, at_once, dumps, month, ready) for month in MONTHS]
        _, waiting = wait(futures, timeout=120)
        if waiting:
            with psycopg.connect(at_once, autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert not waiting, "the loads wait for each other"
        for future in futures:
            future.result()
    for month in MONTHS:
        load(in_order, dumps, month)
    assert difference(at_once, in_order) == []


@pytest.mark.parametrize(
    "filled", [False, pytest.param(True, marks=pytest.mark.full)], ids=["empty", "filled"]
)
def test_four_concurrent_commands_load_the_same_as_in_sequence(
    tmp_path: Path, fresh: Fresh, filled: bool
) -> None:
    months = [FIRST.plus(number) for number in range(5)]
    write_months(tmp_path, FIRST, months=len(months), releases=60, seed=5)
    before, four = (months[:1], months[1:]) if filled else ([], months[:4])
    at_once, in_order = fresh(), fresh()
    for month in before:
        load(at_once, tmp_path, month)
    with ExitStack() as stack:
        commands = [stack.enter_context(Load(at_once, tmp_path, month)) for month in four]
        for command in commands:
            code, said = command.end(seconds=600)
            assert code == 0, said
            assert all("waiting" in line for line in said.splitlines()), said
    for month in [*before, *four]:
        load(in_order, tmp_path, month)
    assert difference(at_once, in_order) == []
    assert staging_tables(at_once) == []


def stage_release_of_artist_7(connect: Connect, folder: Path) -> None:
    release = '<release id="1"><artists><artist><id>7</id></artist></artists></release>'
    path = write_dump(folder, FIRST, Entity.RELEASES, release)
    with path.open("rb") as packed:
        stage(
            connect,
            packed,
            name=path.name,
            entity=Entity.RELEASES,
            month=FIRST,
            settings=LENIENT,
        )


def test_a_merge_that_is_cancelled_by_a_deadlock_is_repeated(
    database: str, connect: Connect, tmp_path: Path
) -> None:
    stage_release_of_artist_7(connect, tmp_path)
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
        other.execute(
            "SET deadlock_timeout TO '1min'"
        )  # so that the merge is cancelled in a deadlock
        other.execute("INSERT INTO discogs.artists (id, placeholder) VALUES (7, true)")
        merged = pool.submit(merge, connect, entity=Entity.RELEASES, month=FIRST, settings=LENIENT)
        with psycopg.connect(database, autocommit=True) as watch:
            waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'transactionid'"
            while watch.execute(waiting).fetchone() is None:
                assert not merged.done(), merged.result()
        other.execute("LOCK TABLE discogs_staging.releases_2026_05")
        other.commit()
        assert merged.result(60).inserted == 1


def test_a_swap_whose_reader_waits_for_the_merge_is_repeated(
    database: str, connect: Connect, tmp_path: Path
) -> None:
    stage_release_of_artist_7(connect, tmp_path)
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SET lock_timeout TO '20s'")
        other.execute("SELECT FROM discogs.artists")
        merged = pool.submit(
            merge,
            connect,
            entity=Entity.RELEASES,
            month=FIRST,
            settings=LENIENT,
            swap_seconds=10,
        )
        with psycopg.connect(database, autocommit=True) as watch:
            holding = "SELECT FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' AND granted"
            while (
                watch.execute(holding + " AND relation = 'discogs.artists'::regclass").fetchone()
                is None
            ):
                assert not merged.done(), merged.result()
        other.execute("INSERT INTO discogs.artists (id, placeholder) VALUES (8, true)")
        other.commit()
        assert merged.result(60).first_load
