"""The rows of the tracking tables, typed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from discogs.schema.entities import Month


class Status(str, Enum):
    """Where a month stands; :mod:`discogs.tracking.transitions` says what follows what."""

    NOT_STARTED = "not_started"
    DOWNLOADING = "downloading"
    READY_FOR_PROCESSING = "ready_for_processing"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value

    @property
    def at_work(self) -> bool:
        """Whether a run is at it: only that run may move the month on."""
        return self in _AT_WORK


_AT_WORK = {Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING}


class FileState(str, Enum):
    """Where one file of a dump stands."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    VERIFIED = "verified"
    FAILED = "failed"
    DELETED = "deleted"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class RunIdentity:
    """Who works on a month: a run of a DAG, or a call of the command line."""

    dag_id: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.dag_id} / {self.run_id}"


@dataclass(frozen=True)
class FileChecksum:
    """A file's SHA-256 as published and as computed, in lower-case hexadecimal.

    :param size: bytes that were hashed.
    :param validated_at: when ``actual`` was computed, in UTC.
    """

    expected: str
    actual: str | None = None
    size: int | None = None
    validated_at: dt.datetime | None = None

    @property
    def is_right(self) -> bool:
        return self.actual is not None and self.actual == self.expected

    def as_dict(self) -> dict[str, Any]:
        """What the column ``file_checksums`` holds for the file."""
        return {
            "expected": self.expected,
            "actual": self.actual,
            "size": self.size,
            "validated_at": self.validated_at.isoformat() if self.validated_at else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FileChecksum:
        at = values.get("validated_at")
        return cls(
            expected=values["expected"],
            actual=values.get("actual"),
            size=values.get("size"),
            # Python 3.10 does not read a Z.
            validated_at=dt.datetime.fromisoformat(at.replace("Z", "+00:00")) if at else None,
        )


@dataclass(frozen=True, kw_only=True)
class MonthRecord:
    """A row of ``discogs_data_processing``; times are in UTC."""

    id: uuid.UUID
    month: Month
    status: Status
    dump_date: dt.date | None = None
    file_checksums: Mapping[str, FileChecksum] = field(default_factory=dict)
    retry_count: int = 0
    error_message: str | None = None
    processing_stats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dag_id: str | None = None
    run_id: str | None = None
    created_at: dt.datetime
    updated_at: dt.datetime
    started_at: dt.datetime | None = None
    download_completed_at: dt.datetime | None = None
    processing_completed_at: dt.datetime | None = None

    @property
    def year_month(self) -> str:
        return str(self.month)

    @property
    def run(self) -> RunIdentity | None:
        """Who last moved the month; None when nobody did."""
        if self.dag_id is None or self.run_id is None:
            return None
        return RunIdentity(self.dag_id, self.run_id)

    @property
    def expected_checksums(self) -> dict[str, str]:
        """File name to the SHA-256 that was published when the month was last fetched."""
        return {name: checksum.expected for name, checksum in self.file_checksums.items()}

    def replace(self, **changes: Any) -> MonthRecord:
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A row of ``discogs_data_processing_files``; sizes are bytes, times are in UTC."""

    month: Month
    file_name: str
    url: str | None = None
    size: int | None = None
    bytes_done: int = 0
    sha256: str | None = None
    state: FileState = FileState.PENDING
    attempts: int = 0
    created_at: dt.datetime
    updated_at: dt.datetime
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None

    @property
    def share_done(self) -> float | None:
        """From 0 to 1; None when the size is unknown."""
        return min(1.0, self.bytes_done / self.size) if self.size else None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, for the report and the page."""
        return {
            "file_name": self.file_name,
            "url": self.url,
            "size": self.size,
            "bytes_done": self.bytes_done,
            "sha256": self.sha256,
            "state": str(self.state),
            "attempts": self.attempts,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
        }
