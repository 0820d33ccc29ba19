"""The months' rows in memory: for tests and trials without a database."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Collection, Mapping
from typing import Any

import uuid6

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


class InMemoryMonthRepository:
    """A :class:`~discogs.tracking.repository.MonthRepository` that ends with its process."""

    def __init__(self) -> None:
        self._months: dict[Month, MonthRecord] = {}
        self._files: dict[tuple[Month, str], FileRecord] = {}
        self._lock = threading.RLock()

    def get(self, month: Month) -> MonthRecord | None:
        with self._lock:
            return self._months.get(month)

    def all(self) -> list[MonthRecord]:
        with self._lock:
            return [record for _, record in sorted(self._months.items())]

    def ensure(self, month: Month) -> MonthRecord:
        with self._lock:
            if month not in self._months:
                now = _now()
                self._months[month] = MonthRecord(
                    id=uuid.UUID(int=uuid6.uuid7().int),
                    month=month,
                    status=Status.NOT_STARTED,
                    created_at=now,
                    updated_at=now,
                )
            return self._months[month]

    def claim(
        self,
        month: Month,
        run: RunIdentity,
        from_statuses: Collection[Status] = CLAIMABLE,
        *,
        to: Status = Status.DOWNLOADING,
    ) -> MonthRecord | None:
        self.ensure(month)
        return self.change(
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
        with self._lock:
            record = rule(self._known(month), _now())
            return self._put(record) if record is not None else None

    def reset_retries(self, month: Month) -> MonthRecord:
        with self._lock:
            return self._put(self._known(month).replace(retry_count=0, updated_at=_now()))

    def record_published(
        self, month: Month, dump_date: dt.date | None, expected: Mapping[str, str]
    ) -> MonthRecord:
        with self._lock:
            record = self._known(month)
            old = record.file_checksums
            checksums = {
                name: old[name]
                if name in old and old[name].expected == digest
                else FileChecksum(digest)
                for name, digest in expected.items()
            }
            return self._put(
                record.replace(
                    dump_date=dump_date or record.dump_date,
                    file_checksums=checksums,
                    updated_at=_now(),
                )
            )

    def record_checksums(self, month: Month, checksums: Mapping[str, FileChecksum]) -> MonthRecord:
        with self._lock:
            record = self._known(month)
            merged = {**record.file_checksums, **checksums}
            return self._put(record.replace(file_checksums=merged, updated_at=_now()))

    def record_entity_stats(
        self, month: Month, entity: Entity, stats: Mapping[str, Any]
    ) -> MonthRecord:
        with self._lock:
            record = self._known(month)
            # Through JSON, as a database would.
            merged = {**record.processing_stats, str(entity): json.loads(json.dumps(dict(stats)))}
            return self._put(record.replace(processing_stats=merged, updated_at=_now()))

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
        with self._lock:
            self._known(month)
            now = _now()
            record = self._files.get((month, file_name)) or FileRecord(
                month=month, file_name=file_name, created_at=now, updated_at=now
            )
            self._files[month, file_name] = file_rules.change(record, new, now)
            return self._files[month, file_name]

    def files(self, month: Month) -> list[FileRecord]:
        with self._lock:
            return [file for (of, _), file in sorted(self._files.items()) if of == month]

    def _known(self, month: Month) -> MonthRecord:
        if month not in self._months:
            raise MonthUnknown(month)
        return self._months[month]

    def _put(self, record: MonthRecord) -> MonthRecord:
        self._months[record.month] = record
        return record


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
