"""Loads to be killed, the state that they leave, and concurrent readers."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from tests.conftest import PROJECT
from tests.content import digests, staging_tables
from tests.load.killed.gate import Gate, Point
from tests.sample.odd_records import write_months

ENVIRONMENT = {
    "DISCOGS_MAX_SHRINK": "0.5",
    "DISCOGS_MAX_REJECTED": "0.5",
    "DISCOGS_WORKERS": "2",
}
_COMMAND = Path(__file__).with_name("command.py")
_SECONDS = 90
_BROKEN = b'<release id="900000001"><title>no end</titel></release>\n'

FIRST, SECOND = Month(2026, 5), Month(2026, 6)


@dataclass(frozen=True)
class Prepared:
    """The databases before a load, and the outcome that it must have."""

    folder: Path
    template: dict[Month, str]
    outcomes: dict[Month, dict[str, Any]]
    states: dict[Month, tuple[dict[Entity, Any], dict[Entity, Any]]]
    statements: dict[Month, int]


def cases(
    points: Iterable[tuple[Month, Point]], quick: Callable[[Month, Point], bool]
) -> list[Any]:
    """The cases of a test, each a month and a point; the slow ones are marked ``full``."""
    return [
        pytest.param(
            month,
            point,
            id=f"{month}-{point}".replace(" ", "-"),
            marks=() if quick(month, point) else pytest.mark.full,
        )
        for month, point in points
    ]


def write_dumps(folder: Path, first: Month, releases: int) -> None:
    """Write two months, each with a release that is rejected."""
    write_months(folder, first, months=2, releases=releases, seed=11)
    for path in folder.glob("*_releases.xml.gz"):
        before = path.read_bytes()
        data = gzip.decompress(before)
        end = data.rindex(b"</releases>")
        path.write_bytes(gzip.compress(data[:end] + _BROKEN + data[end:], 1, mtime=0))
        marker = path.with_name(path.name.replace("releases.xml.gz", "CHECKSUM.txt"))
        old, new = (hashlib.sha256(each).hexdigest() for each in (before, path.read_bytes()))
        marker.write_text(marker.read_text().replace(old, new))


class Load:
    """``python -m discogs load`` in a process of its own.

    :param swap_seconds: how long a first load waits for readers.
    """

    def __init__(self, dsn: str, folder: Path, month: Month, swap_seconds: float = 3600.0) -> None:
        self.ended: tuple[int, str] | None = None
        command = [sys.executable, str(_COMMAND), str(swap_seconds)]
        self.process = subprocess.Popen(
            [*command, "load", str(folder), "--month", str(month)],
            cwd=PROJECT,
            env={
                **os.environ,
                **ENVIRONMENT,
                "PYTHONPATH": "plugins",
                "DISCOGS_DSN": dsn,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        if self.ended is None:
            self.process.kill()
            self.process.communicate()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = _SECONDS) -> tuple[int, str]:
        """The exit code and the output on stderr."""
        if self.ended is None:
            _, said = self.process.communicate(timeout=seconds)
            self.ended = self.process.returncode, said
        return self.ended


def load(dsn: str, folder: Path, month: Month) -> None:
    """Run a load that is not interrupted."""
    with Load(dsn, folder, month) as command:
        code, said = command.end()
    assert (code, said) == (0, ""), said


def counted(dsn: str, folder: Path, month: Month) -> int:
    """Run a load that is not interrupted; returns the number of statements."""
    with Gate(dsn, None, lambda: True) as gate:
        load(gate.dsn, folder, month)
    return len(gate.statements)


def terminate(dsn: str, which: str = "") -> int:
    """Terminate the server processes of running loads; returns how many.

    :param which: a condition on ``pg_stat_activity``.
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        rows = conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'discogs%'"
            f" AND {which or 'true'}"
        ).fetchall()
    return len(rows)


def outcome(dsn: str) -> dict[str, Any]:
    """The state of the database after a load, without times."""
    with psycopg.connect(dsn) as conn:

        def rows(query: str) -> list[tuple[Any, ...]]:
            # Sorted here, since servers sort text in different ways.
            return sorted(conn.execute(query).fetchall(), key=repr)

        left: dict[str, Any] = {
            "changes": rows("SELECT year_month, entity, id, change FROM discogs.entity_changes"),
            "rejected": rows(
                "SELECT year_month, entity, byte_offset, record_id, reason, xml"
                " FROM discogs.rejected_records"
            ),
            "loads": rows("SELECT DISTINCT year_month, entity, records FROM discogs.entity_loads"),
            "shards": rows("SELECT * FROM discogs.staged_shards"),
            "months": rows("SELECT year_month, status::text FROM discogs.discogs_data_processing"),
            "roots": [
                rows(
                    "SELECT id, dump_month, fingerprint, placeholder, removed_in, last_seen"
                    f" FROM discogs.{entity}"
                )
                for entity in Entity
            ],
            "keys": rows(
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated"
                " FROM pg_constraint WHERE connamespace = 'discogs'::regnamespace"
            ),
            "indexes": rows("SELECT indexdef FROM pg_indexes WHERE schemaname = 'discogs'"),
        }
    return {**left, "staging": staging_tables(dsn), "content": digests(dsn)}


def state(conn: psycopg.Connection, entity: Entity) -> tuple[Any, ...]:
    """The counts and sums of an entity's tables, as a reader sees them.

    Placeholders are left out: other entities' merges make them.
    """
    found: list[Any] = []
    for table in TABLES[entity].all:
        name = sql.Identifier("discogs", table.name)
        if table is TABLES[entity].root:
            query = sql.SQL(
                "SELECT count(*), sum(id), max(dump_month), sum(hashtext(fingerprint::text)),"
                " count(removed_in) FROM {} WHERE NOT placeholder"
            ).format(name)
        else:
            query = sql.SQL("SELECT count(*), sum({}), sum(hashtext(t::text)) FROM {} t").format(
                sql.Identifier(table.key[0]), name
            )
        found.append(conn.execute(query).fetchone())
    return tuple(found)


def states(dsn: str) -> dict[Entity, tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return {entity: state(conn, entity) for entity in Entity}


class Reader(threading.Thread):
    """Reads each entity repeatedly, each time in a new snapshot, and records inconsistent states.

    :param allowed: the states of each entity that it may see.
    :param late: seconds between taking the snapshot and the first query of a table.
    """

    def __init__(
        self, dsn: str, allowed: dict[Entity, set[tuple[Any, ...]]], late: float = 0.0
    ) -> None:
        super().__init__(daemon=True)
        self.dsn = dsn
        self.allowed = allowed
        self.late = late
        self.reads = 0
        self.seen: dict[Entity, set[tuple[Any, ...]]] = {entity: set() for entity in Entity}
        self.wrong: list[str] = []
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            with psycopg.connect(self.dsn, application_name="reader") as conn:
                conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                for entity in itertools.cycle(Entity):
                    if self._ended.is_set():
                        return
                    if self.late:
                        conn.execute("SELECT txid_current_snapshot()")
                        time.sleep(self.late)
                    found = state(conn, entity)
                    conn.rollback()
                    self.reads += 1
                    self.seen[entity].add(found)
                    if found not in self.allowed[entity]:
                        self.wrong.append(f"{entity}: {found}")
                    time.sleep(0.005)
        except psycopg.Error as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def end(self) -> None:
        self._ended.set()
        self.join(_SECONDS)


@contextlib.contextmanager
def readers(dsn: str, *allowed: dict[Entity, tuple[Any, ...]]) -> Iterator[list[Reader]]:
    """Run readers beside a load; raises if one saw an inconsistent state."""
    together = {entity: {one[entity] for one in allowed} for entity in Entity}
    looking = [Reader(dsn, together), Reader(dsn, together, late=0.1)]
    for reader in looking:
        reader.start()
    try:
        yield looking
    finally:
        for reader in looking:
            reader.end()
    for reader in looking:
        assert reader.wrong == []
        assert reader.reads > len(Entity)
