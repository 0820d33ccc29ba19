"""Records the progress of a load's steps in the table ``load_steps``. The view ``load_progress``
adds the downloads from ``discogs_data_processing_files``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from discogs.database.connection import Connect, Connection
from discogs.errors import DiscogsError
from discogs.progress import OnProgress, Progress
from discogs.schema.entities import Entity, Month

log = logging.getLogger(__name__)

#: Seconds until a step gets a row, between two updates of a row, and between two updates that only
#: show that the process is alive.
FIRST_SECONDS, EVERY_SECONDS, ALIVE_SECONDS = 1.0, 2.0, 10.0
#: How many seconds the end of a step waits for its last row to be written.
_END_SECONDS = 3.0
# Short timeouts, since a load must not wait for its progress.
_SESSION = (
    "SELECT set_config('statement_timeout', '3s', false), set_config('lock_timeout', '1s', false)"
)
_WRITE = """
INSERT INTO load_steps (
    year_month, entity, step, shard, shards, done, total, unit, records, detail, started_at,
    updated_at, finished_at
)
SELECT
    %(year_month)s, %(entity)s, %(step)s, %(shard)s, %(shards)s, %(done)s, %(total)s, %(unit)s,
    %(records)s, %(detail)s, now() - make_interval(secs => %(age)s), now(),
    CASE WHEN %(finished)s THEN now() END
ON CONFLICT (year_month, entity, step, shard) DO UPDATE SET
    shards = excluded.shards, done = excluded.done, total = excluded.total, unit = excluded.unit,
    records = excluded.records, detail = excluded.detail, started_at = excluded.started_at,
    updated_at = excluded.updated_at, finished_at = excluded.finished_at
"""


@contextmanager
def recorded(
    connect: Connect, month: Month, entity: Entity, on_progress: OnProgress | None = None
) -> Iterator[OnProgress]:
    """Record a step's progress in the database, from a thread with its own connection.

    This neither slows the step nor makes it fail: errors are only logged, and a step that ends
    within a second writes nothing. A step that fails leaves its last row.

    :param on_progress: also called, with each report.
    :returns: a function that takes the reports.
    """
    writer = _Writer(connect, month, entity)
    thread = threading.Thread(target=writer.run, name="discogs-progress", daemon=True)
    thread.start()

    def report(progress: Progress) -> None:
        writer.take(progress)
        if on_progress is not None:
            on_progress(progress)

    try:
        yield report
        writer.succeeded = True
    finally:
        writer.ended.set()
        thread.join(_END_SECONDS)


def clear(connect: Connect, month: Month) -> None:
    """Delete the steps of a month that is completed or started again."""
    try:
        with connect() as conn:
            conn.execute("DELETE FROM load_steps WHERE year_month = %s", [str(month)])
    except (psycopg.Error, DiscogsError) as error:
        log.warning("The progress of %s could not be cleared: %s", month, error)


class _Writer:
    """Writes the latest report of each step, and which steps have ended."""

    def __init__(self, connect: Connect, month: Month, entity: Entity) -> None:
        self.ended = threading.Event()
        self.succeeded = False
        self._connect, self._month, self._entity = connect, month, entity
        self._lock = threading.Lock()
        self._last: dict[tuple[str, int], tuple[Progress, float]] = {}
        self._changed: set[tuple[str, int]] = set()
        self._open: set[tuple[str, int]] = set()
        self._conn: Connection | None = None
        self._warned = False

    def take(self, progress: Progress) -> None:
        key, now = (progress.step, progress.shard), time.monotonic()
        with self._lock:
            self._last[key] = progress, now
            # Steps run one after another: the one before has ended.
            self._changed |= {key} | (self._open - {key})
            self._open = {key}

    def run(self) -> None:
        wait, written = FIRST_SECONDS, time.monotonic()
        try:
            while not self.ended.wait(wait):
                wait = EVERY_SECONDS
                now = time.monotonic()
                if self._changed or now - written >= ALIVE_SECONDS:
                    self._write()
                    written = now
            if self._conn is not None or self._warned:
                self._write(last=True)
        finally:
            if self._conn is not None:
                self._conn.close()

    def _write(self, *, last: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            keys = self._changed | self._open
            rows = [
                self._row(key, now, finished=key not in self._open or (last and self.succeeded))
                for key in keys
            ]
            self._changed = set()
        if not rows:
            return
        try:
            if self._conn is None:
                self._conn = self._connect()
                self._conn.autocommit = True
                self._conn.execute(_SESSION)
            for row in rows:
                self._conn.execute(_WRITE, row)
        except Exception as error:  # must not stop the step
            if not self._warned:
                log.warning("The progress of %s is not recorded: %s", self._entity, error)
            self._warned = True
            if self._conn is not None:
                self._conn.close()
            self._conn = None

    def _row(self, key: tuple[str, int], now: float, *, finished: bool) -> dict[str, Any]:
        progress, at = self._last[key]
        return {
            "year_month": str(self._month),
            "entity": str(self._entity),
            "step": progress.step,
            "shard": progress.shard,
            "shards": progress.shards,
            "done": progress.done,
            "total": progress.total,
            "unit": progress.unit,
            "records": progress.records,
            "detail": progress.detail,
            "age": progress.seconds + (now - at),
            "finished": finished,
        }
