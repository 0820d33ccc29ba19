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
    """How far a month is; :mod:`discogs.tracking.transitions` says what may follow what."""

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
        """Whether a run works on the month: only that run may move it."""
        return self in AT_WORK


#: In the order in which a run goes through them.
AT_WORK = (Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING)


#: How long a run of another Airflow counts as alive after its last heartbeat. More than Airflow
#: takes to notice that a task was killed (5 minutes) and to try it again (1, 2 and 4 minutes).
LEASE = dt.timedelta(minutes=15)


class FileState(str, Enum):
    """How far one file of a dump is."""

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
    """Who works on a month: a run of a DAG, or a call of the command line.

    :param airflow: the id of the Airflow that the run is of, since two that share a database may
        name their runs alike; None for the command line, and where it is not known.
    """

    dag_id: str
    run_id: str
    airflow: str | None = None

    def is_same(self, other: RunIdentity | None) -> bool:
        """Whether both are one run, as far as is known."""
        if other is None or (self.dag_id, self.run_id) != (other.dag_id, other.run_id):
            return False
        return None in (self.airflow, other.airflow) or self.airflow == other.airflow

    def __str__(self) -> str:
        return f"{self.dag_id} / {self.run_id}"


class WaitReason(str, Enum):
    """Why a dump is waited for."""

    NOT_PUBLISHED = "not_published"
    SERVER_DOWN = "server_down"
    RATE_LIMITED = "rate_limited"

    def __str__(self) -> str:
        return self.value

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong, rather than early."""
        return self is not WaitReason.NOT_PUBLISHED


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What a run waits for, before it has the month; times are in UTC.

    :param message: what the last look found.
    :param next_look_at: when the server is asked next.
    :param gives_up_at: when the run ends without the dump.
    """

    reason: WaitReason
    message: str
    since: dt.datetime
    next_look_at: dt.datetime
    gives_up_at: dt.datetime
    run: RunIdentity

    def as_dict(self) -> dict[str, Any]:
        """What the column ``waiting`` holds."""
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
        """What :meth:`as_dict` wrote."""
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
            f"Waiting since {_minute(self.since)}: {self.message} The next look is at"
            f" {_minute(self.next_look_at)}, and the run gives up at {_minute(self.gives_up_at)}."
            f" To look now, clear wait_for_dump of {self.run}."
        )


@dataclass(frozen=True)
class FileChecksum:
    """A file's SHA-256 as published and as computed, in lower-case hexadecimal.

    :param expected: None for a file that no CHECKSUM.txt lists.
    :param actual: None until the file was hashed.
    :param size: bytes that were hashed.
    :param validated_at: when ``actual`` was computed, in UTC.
    """

    expected: str | None
    actual: str | None = None
    size: int | None = None
    validated_at: dt.datetime | None = None

    @property
    def is_right(self) -> bool:
        """Whether the file was hashed, and has the published digest if there is one."""
        return self.actual is not None and self.expected in (None, self.actual)

    @property
    def is_unlisted(self) -> bool:
        """Whether the file was hashed, and nothing is published to compare it with."""
        return self.actual is not None and self.expected is None

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
            expected=values.get("expected"),
            actual=values.get("actual"),
            size=values.get("size"),
            # Python 3.10 does not read a Z.
            validated_at=dt.datetime.fromisoformat(at.replace("Z", "+00:00")) if at else None,
        )


@dataclass(frozen=True, kw_only=True)
class MonthRecord:
    """A row of ``discogs_data_processing``; times are in UTC.

    :param alive_until: of a month at work by an Airflow run; see :mod:`discogs.load.life`.
    :param waiting: what a run waits for that has not claimed the month yet.
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
        """The run that last moved the month; None when none did."""
        if self.dag_id is None or self.run_id is None:
            return None
        return RunIdentity(self.dag_id, self.run_id, self.airflow)

    @property
    def published(self) -> dict[str, str]:
        """File name to SHA-256: of the files to load, as they were last seen.

        As published; of a file that no CHECKSUM.txt lists, as it was computed.
        """
        digests = {name: c.expected or c.actual for name, c in self.file_checksums.items()}
        return {name: digest for name, digest in digests.items() if digest is not None}

    def not_loaded(
        self, entities: Iterable[Entity], published: Collection[str] | None = None
    ) -> list[Entity]:
        """The entities whose rows do not come from the bytes that are published.

        The only place that decides it, by the SHA-256 of what was merged. One without it, which
        an earlier version of the package may have left, counts as not loaded.

        :param published: the SHA-256 of the published files; by default the row's own.
        """
        digests = set(self.published.values() if published is None else published)
        stats = self.processing_stats
        return [e for e in entities if stats.get(str(e), {}).get("sha256") not in digests]

    def is_of(self, run: RunIdentity) -> bool:
        """Whether a run is the one that last moved the month."""
        return run.is_same(self.run)

    def owner(self, asking: RunIdentity) -> str:
        """The run that last moved the month, as another run's messages name it."""
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
        """JSON-able, for the report."""
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
