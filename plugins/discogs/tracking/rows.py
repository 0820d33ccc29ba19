"""Converts rows of the tracking tables to records."""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.rows import DictRow

from discogs.schema.entities import Month
from discogs.tracking.model import FileChecksum, FileRecord, FileState, MonthRecord, Status, Waiting

_MONTH_TIMES = (
    "alive_until",
    "created_at",
    "updated_at",
    "started_at",
    "download_completed_at",
    "processing_completed_at",
)


def month_record(row: DictRow) -> MonthRecord:
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
        checks=row["checks"],
        dag_id=row["dag_id"],
        run_id=row["run_id"],
        airflow=row["airflow"],
        waiting=Waiting.from_dict(row["waiting"]) if row["waiting"] is not None else None,
        **{name: _utc(row[name]) for name in _MONTH_TIMES},
    )


def file_record(row: DictRow) -> FileRecord:
    return FileRecord(
        month=Month.parse(row["year_month"]),
        file_name=row["file_name"],
        url=row["url"],
        size=row["size"],
        bytes_done=row["bytes_done"],
        sha256=row["sha256"],
        state=FileState(row["state"]),
        attempts=row["attempts"],
        error_message=row["error_message"],
        **{
            name: _utc(row[name])
            for name in ("created_at", "updated_at", "started_at", "completed_at")
        },
    )


def _utc(time: dt.datetime | None) -> Any:
    """In UTC: the connection may have another time zone."""
    return time.astimezone(dt.timezone.utc) if time is not None else None
