"""The rows of the tracking tables, typed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from discogs.schema.entities import Entity, Month


class Status(str, Enum):
    """The status of a month; its transitions are in :mod:`discogs.tracking.transitions`."""

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
        """Whether a run is loading the month; only that run may change its status."""
        return self in AT_WORK


#: In the order in which a run goes through them.
AT_WORK = (Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING)


#: How long a run of another Airflow counts as alive after its last heartbeat. Longer than Airflow
#: takes to notice that a task was killed (5 minutes) and to retry it (1, 2 and 4 minutes).
LEASE = dt.timedelta(minutes=15)


class FileState(str, Enum):
    """The state of a dump file."""

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
    """A run that loads a month: a DAG run, or a call of the command line.

    :param airflow: id of the run's Airflow installation, since two of them that share a database
        may have runs with the same id; None for the command line, or if unknown.
    """

    dag_id: str
    run_id: str
    airflow: str | None = None

    def is_same(self, other: RunIdentity | None) -> bool:
        """Whether both are the same run; an unknown Airflow matches any."""
        if other is None or (self.dag_id, self.run_id) != (other.dag_id, other.run_id):
            return False
        return None in (self.airflow, other.airflow) or self.airflow == other.airflow

    def __str__(self) -> str:
        return f"{self.dag_id} / {self.run_id}"


class WaitReason(str, Enum):
    """Why a run waits for a dump."""

    NOT_PUBLISHED = "not_published"
    SERVER_DOWN = "server_down"
    RATE_LIMITED = "rate_limited"

    def __str__(self) -> str:
        return self.value

    @property
    def is_fault(self) -> bool:
        """Whether the server is at fault, not only the dump unpublished."""
        return self is not WaitReason.NOT_PUBLISHED


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A run's wait for a dump, before it claims the month; times are in UTC.

    :param message: the result of the last check.
    :param next_look_at: when the run asks the server again.
    :param gives_up_at: when the run ends without the dump.
    """

    reason: WaitReason
    message: str
    since: dt.datetime
    next_look_at: dt.datetime
    gives_up_at: dt.datetime
    run: RunIdentity

    def as_dict(self) -> dict[str, Any]:
        """The value of the column ``waiting``."""
        return {
            "reason": str(self.reason),
            "message": self.message,
            "since": self.since.isoformat(),
            "next_look_at": self.next_look_at.isoformat(),
            "gives_up_at": self.gives_up_at.isoformat(),
            "dag_id": self.run.dag_id,
            "run_id": self.run.run_id,
            "airflow": self.run.airflow,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Waiting:
        """The inverse of :meth:`as_dict`."""
        return cls(
            reason=WaitReason(values["reason"]),
            message=values["message"],
            since=dt.datetime.fromisoformat(values["since"]),
            next_look_at=dt.datetime.fromisoformat(values["next_look_at"]),
            gives_up_at=dt.datetime.fromisoformat(values["gives_up_at"]),
            run=RunIdentity(values["dag_id"], values["run_id"], values["airflow"]),
        )

    def __str__(self) -> str:
        return (
            f"Waiting since {_minute(self.since)}: {self.message} The next check is at"
            f" {_minute(self.next_look_at)}, and the run gives up at {_minute(self.gives_up_at)}."
            f" To check now, clear wait_for_dump of {self.run}."
        )


@dataclass(frozen=True)
class FileChecksum:
    """A file's SHA-256 as published and as computed, in lower-case hexadecimal.

    :param expected: None for a file that no CHECKSUM.txt lists.
    :param actual: None until the file was hashed.
    :param size: number of bytes hashed.
    :param validated_at: when ``actual`` was computed, in UTC.
    """

    expected: str | None
    actual: str | None = None
    size: int | None = None
    validated_at: dt.datetime | None = None

    @property
    def is_right(self) -> bool:
        """Whether the file was hashed, and its digest is the published one if there is one."""
        return self.actual is not None and self.expected in (None, self.actual)

    @property
    def is_unlisted(self) -> bool:
        """Whether the file was hashed, but no digest is published."""
        return self.actual is not None and self.expected is None

    def as_dict(self) -> dict[str, Any]:
        """The file's value in the column ``file_checksums``."""
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
            expected=values.get("expected"),
            actual=values.get("actual"),
            size=values.get("size"),
            # Python 3.10 does not read a Z.
            validated_at=dt.datetime.fromisoformat(at.replace("Z", "+00:00")) if at else None,
        )


@dataclass(frozen=True, kw_only=True)
class MonthRecord:
    """A row of ``discogs_data_processing``; times are in UTC.

    :param alive_until: until when the Airflow run that loads the month counts as alive; see
        :mod:`discogs.load.life`.
    :param waiting: what a run waits for that has not yet claimed the month.
    """

    id: uuid.UUID
    month: Month
    status: Status
    dump_date: dt.date | None = None
    file_checksums: Mapping[str, FileChecksum] = field(default_factory=dict)
    retry_count: int = 0
    error_message: str | None = None
    processing_stats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: Sequence[Mapping[str, Any]] = ()
    dag_id: str | None = None
    run_id: str | None = None
    airflow: str | None = None
    alive_until: dt.datetime | None = None
    waiting: Waiting | None = None
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
        """The run that last changed the month's status; None if there was none."""
        if self.dag_id is None or self.run_id is None:
            return None
        return RunIdentity(self.dag_id, self.run_id, self.airflow)

    @property
    def published(self) -> dict[str, str]:
        """The SHA-256 of the files to load, by file name.

        The published one or, for a file that no CHECKSUM.txt lists, the computed one.
        """
        digests = {name: c.expected or c.actual for name, c in self.file_checksums.items()}
        return {name: digest for name, digest in digests.items() if digest is not None}

    def not_loaded(
        self, entities: Iterable[Entity], published: Collection[str] | None = None
    ) -> list[Entity]:
        """The entities whose rows do not come from the published files.

        This is the only place that decides it, by the SHA-256 of the merged files. An entity
        without one, which an earlier version of the package may have loaded, counts as not loaded.

        :param published: the SHA-256 of the published files; default: those of the row.
        """
        digests = set(self.published.values() if published is None else published)
        stats = self.processing_stats
        return [e for e in entities if stats.get(str(e), {}).get("sha256") not in digests]

    def is_of(self, run: RunIdentity) -> bool:
        """Whether a run is the one that last changed the month's status."""
        return run.is_same(self.run)

    def owner(self, asking: RunIdentity) -> str:
        """The run that last changed the month's status, for the messages of another run."""
        if self.run is None or self.alive_until is None or self.airflow == asking.airflow:
            return str(self.run)
        return f"{self.run} of another Airflow (counts as alive until {_minute(self.alive_until)})"

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
    error_message: str | None = None
    created_at: dt.datetime
    updated_at: dt.datetime
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row for the report, as JSON types."""
        return {
            "file_name": self.file_name,
            "url": self.url,
            "size": self.size,
            "bytes_done": self.bytes_done,
            "sha256": self.sha256,
            "state": str(self.state),
            "attempts": self.attempts,
            "error_message": self.error_message,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
        }


def _minute(time: dt.datetime) -> str:
    return f"{time.astimezone(dt.timezone.utc):%F %H:%M} UTC"
