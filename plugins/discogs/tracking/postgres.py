"""The months' rows in PostgreSQL: ``discogs_data_processing`` and its files."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psycopg
import uuid6
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from discogs.database.connection import Connect, explain
from discogs.database.sql_files import read
from discogs.errors import MonthUnknown
from discogs.schema.entities import Entity, Month
from discogs.tracking import files as file_rules
from discogs.tracking import transitions
from discogs.tracking.model import (
    FileChecksum,
    FileRecord,
    FileState,
    MonthRecord,
    RunIdentity,
    Status,
)
from discogs.tracking.repository import CLAIMABLE, Rule


class PostgresMonthRepository:
    """A :class:`~discogs.tracking.repository.MonthRepository` on the target database.

    Each call has a connection and a transaction of its own, committed when it returns, so that
    what it tells is seen at once and stands whatever becomes of the caller's work.

    Errors of the database are told as :class:`~discogs.errors.DatabaseError`: also that there is
    no table yet.

    :param connect: opens connections whose search path is the package's schema.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def get(self, month: Month) -> MonthRecord | None:
        with self._cursor() as cursor:
            row = self._one(cursor, "get", month)
            return _month(row) if row is not None else None

    def all(self) -> list[MonthRecord]:
        with self._cursor() as cursor:
            return [_month(row) for row in cursor.execute(_statement("list")).fetchall()]

    def ensure(self, month: Month) -> MonthRecord:
        with self._cursor() as cursor:
            return _month(self._ensured(cursor, month))

    def claim(
        self,
        month: Month,
        run: RunIdentity,
        from_statuses: Collection[Status] = CLAIMABLE,
        *,
        to: Status = Status.DOWNLOADING,
    ) -> MonthRecord | None:
        with self._cursor() as cursor:
            self._ensured(cursor, month)
            return self._change(
                cursor,
                month,
                lambda record, now: transitions.claim(
                    record, to, run=run, from_statuses=from_statuses, now=now
                ),
            )

    def move(
        self, month: Month, to: Status, *, run: RunIdentity, error_message: str | None = None
    ) -> MonthRecord:
        record = self.change(
            month,
            lambda record, now: transitions.move(
                record, to, run=run, now=now, error_message=error_message
            ),
        )
        assert record is not None
        return record

    def change(self, month: Month, rule: Rule) -> MonthRecord | None:
        with self._cursor() as cursor:
            return self._change(cursor, month, rule)

    def reset_retries(self, month: Month) -> MonthRecord:
        return self._changed("reset_retries", month)

    def record_published(
        self, month: Month, dump_date: dt.date | None, expected: Mapping[str, str]
    ) -> MonthRecord:
        return self._changed(
            "record_published", month, dump_date=dump_date, expected=Jsonb(dict(expected))
        )

    def record_checksums(self, month: Month, checksums: Mapping[str, FileChecksum]) -> MonthRecord:
        values = {name: checksum.as_dict() for name, checksum in checksums.items()}
        return self._changed("record_checksums", month, checksums=Jsonb(values))

    def record_entity_stats(
        self, month: Month, entity: Entity, stats: Mapping[str, Any]
    ) -> MonthRecord:
        values = {str(entity): dict(stats)}
        return self._changed("record_entity_stats", month, stats=Jsonb(values))

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
    ) -> FileRecord:
        new = file_rules.FileChange(
            state=state, url=url, size=size, bytes_done=bytes_done, sha256=sha256
        )
        with self._cursor() as cursor:
            try:
                self._run(cursor, "file_ensure", month, file_name=file_name)
            except psycopg.errors.ForeignKeyViolation:
                raise MonthUnknown(month) from None
            row = self._one(cursor, "file_lock", month, file_name=file_name)
            assert row is not None
            record = file_rules.change(_file(row), new, row["clock"])
            values = {name: value for name, value in vars(record).items() if name != "month"}
            self._run(cursor, "file_update", month, **{**values, "state": str(record.state)})
            return record

    def files(self, month: Month) -> list[FileRecord]:
        with self._cursor() as cursor:
            return [_file(row) for row in self._run(cursor, "file_list", month).fetchall()]

    def _change(
        self, cursor: psycopg.Cursor[DictRow], month: Month, rule: Rule
    ) -> MonthRecord | None:
        # The UPDATE holds only if nobody moved the row since it was read. Who comes second reads
        # again and decides by what the first one left.
        while True:
            row = self._one(cursor, "get", month)
            if row is None:
                raise MonthUnknown(month)
            old = _month(row)
            new = rule(old, row["clock"])
            if new is None or new is old:
                return new
            values = {
                **_columns(new),
                "old_status": str(old.status),
                "old_dag_id": old.dag_id,
                "old_run_id": old.run_id,
                "old_retry_count": old.retry_count,
            }
            written = self._one(cursor, "move", month, **values)
            if written is not None:
                return _month(written)

    def _ensured(self, cursor: psycopg.Cursor[DictRow], month: Month) -> DictRow:
        row = self._one(cursor, "get", month)
        if row is None:
            self._run(cursor, "ensure", month, id=uuid.UUID(int=uuid6.uuid7().int))
            row = self._one(cursor, "get", month)
        assert row is not None
        return row

    def _changed(self, name: str, month: Month, **values: object) -> MonthRecord:
        with self._cursor() as cursor:
            row = self._one(cursor, name, month, **values)
            if row is None:
                raise MonthUnknown(month)
            return _month(row)

    def _one(
        self, cursor: psycopg.Cursor[DictRow], name: str, month: Month, **values: object
    ) -> DictRow | None:
        return self._run(cursor, name, month, **values).fetchone()

    @staticmethod
    def _run(
        cursor: psycopg.Cursor[DictRow], name: str, month: Month, **values: object
    ) -> psycopg.Cursor[DictRow]:
        return cursor.execute(_statement(name), {**values, "year_month": str(month)})

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[DictRow]]:
        try:
            with self._connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
                yield cursor
        except psycopg.Error as error:
            raise explain(error) from error


def _statement(name: str) -> bytes:
    return read(f"tracking/{name}.sql").encode()


def _columns(record: MonthRecord) -> dict[str, object]:
    return {
        "status": str(record.status),
        "dag_id": record.dag_id,
        "run_id": record.run_id,
        "retry_count": record.retry_count,
        "error_message": record.error_message,
        "started_at": record.started_at,
        "download_completed_at": record.download_completed_at,
        "processing_completed_at": record.processing_completed_at,
        "updated_at": record.updated_at,
    }


_MONTH_TIMES = (
    "created_at",
    "updated_at",
    "started_at",
    "download_completed_at",
    "processing_completed_at",
)


def _month(row: DictRow) -> MonthRecord:
    return MonthRecord(
        id=row["id"],
        month=Month.parse(row["year_month"]),
        status=Status(row["status"]),
        dump_date=row["dump_date"],
        file_checksums={
            name: FileChecksum.from_dict(values) for name, values in row["file_checksums"].items()
        },
        retry_count=row["retry_count"],
        error_message=row["error_message"],
        processing_stats=row["processing_stats"],
        dag_id=row["dag_id"],
        run_id=row["run_id"],
        **{name: _utc(row[name]) for name in _MONTH_TIMES},
    )


def _file(row: DictRow) -> FileRecord:
    return FileRecord(
        month=Month.parse(row["year_month"]),
        file_name=row["file_name"],
        url=row["url"],
        size=row["size"],
        bytes_done=row["bytes_done"],
        sha256=row["sha256"],
        state=FileState(row["state"]),
        attempts=row["attempts"],
        **{
            name: _utc(row[name])
            for name in ("created_at", "updated_at", "started_at", "completed_at")
        },
    )


def _utc(time: dt.datetime | None) -> Any:
    """The connection may have another time zone."""
    return time.astimezone(dt.timezone.utc) if time is not None else None
