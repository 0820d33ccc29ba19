"""The tracking tables ``discogs_data_processing`` and ``discogs_data_processing_files``."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
import uuid6
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from discogs.database.connection import Connect, explain
from discogs.schema.entities import Entity, Month
from discogs.tracking import files as file_rules
from discogs.tracking import transitions
from discogs.tracking.errors import MonthUnknown
from discogs.tracking.model import (
    FileChecksum,
    FileRecord,
    FileState,
    MonthRecord,
    RunIdentity,
    Status,
)
from discogs.tracking.rows import file_record, month_record

Rule = Callable[[MonthRecord, dt.datetime], MonthRecord | None]
"""Maps a row and the server's time to the new row; None leaves the row unchanged."""

# With the server's clock, since the clocks of workers differ.
_GET = "SELECT *, clock_timestamp() AS clock FROM discogs_data_processing WHERE year_month = %s"

# Of two runs that change a month at the same time, the second waits until the first commits, finds
# the row changed, and updates nothing.
_COMPARE_AND_SET = """
UPDATE discogs_data_processing
SET
    status = %(status)s::processing_status,
    dag_id = %(dag_id)s,
    run_id = %(run_id)s,
    airflow = %(airflow)s,
    alive_until = CASE
        WHEN %(alive_until)s::timestamptz IS NOT NULL THEN greatest(alive_until, %(alive_until)s)
    END,
    waiting = %(waiting)s,
    retry_count = %(retry_count)s,
    error_message = %(error_message)s,
    started_at = %(started_at)s,
    download_completed_at = %(download_completed_at)s,
    processing_completed_at = %(processing_completed_at)s,
    updated_at = %(updated_at)s
WHERE
    year_month = %(year_month)s
    AND status = %(old_status)s::processing_status
    AND dag_id IS NOT DISTINCT FROM %(old_dag_id)s
    AND run_id IS NOT DISTINCT FROM %(old_run_id)s
    AND airflow IS NOT DISTINCT FROM %(old_airflow)s
    AND retry_count = %(old_retry_count)s
RETURNING *
"""

# A file's computed checksum is kept while its published checksum is unchanged.
_RECORD_PUBLISHED = """
UPDATE discogs_data_processing AS months
SET
    dump_date = coalesce(%(dump_date)s::date, dump_date),
    file_checksums = (
        SELECT coalesce(
            jsonb_object_agg(
                published.key,
                CASE
                    WHEN months.file_checksums ? published.key
                            AND months.file_checksums -> published.key ->> 'expected'
                                IS NOT DISTINCT FROM published.value
                        THEN months.file_checksums -> published.key
                    ELSE jsonb_build_object(
                        'expected', published.value,
                        'actual', NULL,
                        'size', NULL,
                        'validated_at', NULL
                    )
                END
            ),
            '{}'
        )
        FROM jsonb_each_text(%(published)s) AS published
    ),
    checks = '[]',
    updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
"""

# File by file, so that tasks that verify one file each do not overwrite one another.
_RECORD_CHECKSUMS = """
UPDATE discogs_data_processing
SET file_checksums = file_checksums || %(checksums)s, updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
"""

_RECORD_ENTITY_STATS = """
UPDATE discogs_data_processing
SET processing_stats = processing_stats || %(stats)s, updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
"""

_RECORD_CHECKS = """
UPDATE discogs_data_processing SET checks = %(checks)s,
    updated_at = CASE WHEN checks = %(checks)s THEN updated_at ELSE clock_timestamp() END
WHERE year_month = %(year_month)s
RETURNING *
"""

_ENSURE_FILE = """
INSERT INTO discogs_data_processing_files (year_month, file_name)
VALUES (%(year_month)s, %(file_name)s)
ON CONFLICT (year_month, file_name) DO NOTHING
"""

_LOCK_FILE = """
SELECT *, clock_timestamp() AS clock FROM discogs_data_processing_files
WHERE year_month = %(year_month)s AND file_name = %(file_name)s
FOR UPDATE
"""

_UPDATE_FILE = """
UPDATE discogs_data_processing_files
SET
    url = %(url)s,
    size = %(size)s,
    bytes_done = %(bytes_done)s,
    sha256 = %(sha256)s,
    state = %(state)s,
    attempts = %(attempts)s,
    error_message = %(error_message)s,
    updated_at = %(updated_at)s,
    started_at = %(started_at)s,
    completed_at = %(completed_at)s
WHERE year_month = %(year_month)s AND file_name = %(file_name)s
"""


class PostgresMonthRepository:
    """Reads and changes the rows of months and files.

    Each call uses its own connection and transaction, committed when it returns: its changes are
    visible at once, and are kept if the caller's own transaction is rolled back.

    Methods that change a month raise :class:`MonthUnknown` when it has no row, except
    :meth:`ensure` and :meth:`claim`, which create it. Errors of the database, such as a missing
    table, are raised as :class:`DatabaseError`.

    :param connect: opens connections whose search path is the package's schema.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def get(self, month: Month) -> MonthRecord | None:
        with self._cursor() as cursor:
            row = cursor.execute(_GET, [str(month)]).fetchone()
            return month_record(row) if row is not None else None

    def all(self) -> list[MonthRecord]:
        """Every month's row, oldest month first."""
        with self._cursor() as cursor:
            cursor.execute("SELECT * FROM discogs_data_processing ORDER BY year_month")
            return [month_record(row) for row in cursor.fetchall()]

    def ensure(self, month: Month) -> MonthRecord:
        """The month's row, created as ``not_started`` if there is none."""
        with self._cursor() as cursor:
            return month_record(self._ensured(cursor, month))

    def claim(self, month: Month, run: RunIdentity) -> MonthRecord | None:
        """Claim a month for a run; of several runs at the same time, only one succeeds.

        A run that has already claimed the month gets its row, unchanged.

        :returns: None when another run has claimed the month.
        """
        with self._cursor() as cursor:
            self._ensured(cursor, month)
            return self._change(
                cursor, month, lambda record, now: transitions.claim(record, run=run, now=now)
            )

    def move(
        self, month: Month, to: Status, *, run: RunIdentity, error_message: str | None = None
    ) -> MonthRecord:
        """Set a month's status, as :func:`discogs.tracking.transitions.move` does.

        :raises IllegalTransition: when the transition is not allowed.
        :raises MonthTaken: when another run has claimed the month.
        """
        record = self.change(
            month,
            lambda record, now: transitions.move(
                record, to, run=run, now=now, error_message=error_message
            ),
        )
        assert record is not None
        return record

    def change(self, month: Month, rule: Rule) -> MonthRecord | None:
        """Apply a rule of :mod:`discogs.tracking.transitions` to a month's row, atomically.

        :param rule: called again when another session has changed the row in the meantime.
        :returns: what the rule returned.
        """
        with self._cursor() as cursor:
            return self._change(cursor, month, rule)

    def record_published(
        self, month: Month, dump_date: dt.date | None, published: Mapping[str, str | None]
    ) -> MonthRecord:
        """Record what is to be loaded: the dump's day, and the files.

        The computed SHA-256 of a file is kept while its published one is unchanged; files that are
        not in ``published`` are removed.

        :param published: SHA-256 by file name; None for a file that no CHECKSUM.txt lists.
        """
        return self._changed(
            _RECORD_PUBLISHED, month, dump_date=dump_date, published=Jsonb(dict(published))
        )

    def record_checksums(self, month: Month, checksums: Mapping[str, FileChecksum]) -> MonthRecord:
        """Record the checksums of some files; those of other files are unchanged."""
        values = {name: checksum.as_dict() for name, checksum in checksums.items()}
        return self._changed(_RECORD_CHECKSUMS, month, checksums=Jsonb(values))

    def record_entity_stats(
        self, month: Month, entity: Entity, stats: Mapping[str, Any]
    ) -> MonthRecord:
        """Record an entity's statistics (as JSON types), replacing earlier ones."""
        return self._changed(_RECORD_ENTITY_STATS, month, stats=Jsonb({str(entity): dict(stats)}))

    def record_checks(self, month: Month, results: Sequence[Mapping[str, Any]]) -> MonthRecord:
        """Record the results of the checks after the merges, replacing earlier ones."""
        values = [dict(result) for result in results]
        return self._changed(_RECORD_CHECKS, month, checks=Jsonb(values))

    def record_file(
        self,
        month: Month,
        file_name: str,
        *,
        state: FileState | None = None,
        url: str | None = None,
        size: int | None = None,
        bytes_done: int | None = None,
        sha256: str | None = None,
        error_message: str | None = None,
        attempts: int | None = None,
    ) -> FileRecord:
        """Record a change of a file; see :class:`discogs.tracking.files.FileChange`."""
        new = file_rules.FileChange(
            state=state,
            url=url,
            size=size,
            bytes_done=bytes_done,
            sha256=sha256,
            error_message=error_message,
            attempts=attempts,
        )
        key = {"year_month": str(month), "file_name": file_name}
        with self._cursor() as cursor:
            try:
                cursor.execute(_ENSURE_FILE, key)
            except psycopg.errors.ForeignKeyViolation:
                raise MonthUnknown(month) from None
            row = cursor.execute(_LOCK_FILE, key).fetchone()
            assert row is not None
            record = file_rules.change(file_record(row), new, row["clock"])
            cursor.execute(_UPDATE_FILE, {**vars(record), "state": str(record.state), **key})
            return record

    def fail_downloads(self, month: Month, error_message: str) -> None:
        """Set the files of a month that are being downloaded to ``failed``."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE discogs_data_processing_files SET state = 'failed', error_message = %s,"
                " updated_at = clock_timestamp() WHERE year_month = %s AND state = 'downloading'",
                [error_message, str(month)],
            )

    def files(self, month: Month) -> list[FileRecord]:
        """The month's files by name."""
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT * FROM discogs_data_processing_files WHERE year_month = %s"
                " ORDER BY file_name",
                [str(month)],
            )
            return [file_record(row) for row in cursor.fetchall()]

    def _change(
        self, cursor: psycopg.Cursor[DictRow], month: Month, rule: Rule
    ) -> MonthRecord | None:
        while True:
            row = cursor.execute(_GET, [str(month)]).fetchone()
            if row is None:
                raise MonthUnknown(month)
            old = month_record(row)
            new = rule(old, row["clock"])
            if new is None or new is old:
                return new
            values = {
                **vars(new),
                "year_month": str(month),
                "status": str(new.status),
                "old_status": str(old.status),
                "old_dag_id": old.dag_id,
                "old_run_id": old.run_id,
                "old_airflow": old.airflow,
                "waiting": Jsonb(new.waiting.as_dict()) if new.waiting is not None else None,
                "old_retry_count": old.retry_count,
            }
            written = cursor.execute(_COMPARE_AND_SET, values).fetchone()
            if written is not None:
                return month_record(written)
            # Another session changed the row since it was read: apply the rule to the new row.

    @staticmethod
    def _ensured(cursor: psycopg.Cursor[DictRow], month: Month) -> DictRow:
        row = cursor.execute(_GET, [str(month)]).fetchone()
        if row is None:
            cursor.execute(
                "INSERT INTO discogs_data_processing (id, year_month) VALUES (%s, %s)"
                " ON CONFLICT (year_month) DO NOTHING",
                [uuid.UUID(int=uuid6.uuid7().int), str(month)],
            )
            row = cursor.execute(_GET, [str(month)]).fetchone()
        assert row is not None
        return row

    def _changed(self, statement: str, month: Month, **values: object) -> MonthRecord:
        with self._cursor() as cursor:
            row = cursor.execute(statement, {**values, "year_month": str(month)}).fetchone()
            if row is None:
                raise MonthUnknown(month)
            return month_record(row)

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[DictRow]]:
        try:
            with self._connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
                yield cursor
        except psycopg.Error as error:
            raise explain(error) from error
