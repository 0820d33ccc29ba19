"""A month's files: listed, fetched, verified and deleted, with each step recorded in their rows."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from discogs.dumps.download import DownloadReport
from discogs.dumps.listing import DumpFile, DumpSet
from discogs.dumps.retention import CleanupReport, clean
from discogs.dumps.storage import DumpStorage
from discogs.errors import DiscogsError
from discogs.load.errors import MonthNotReady
from discogs.load.options import PlannedFile
from discogs.load.source import Source
from discogs.progress import OnProgress, Progress
from discogs.schema.entities import Entity, Month
from discogs.tracking import reconciliation
from discogs.tracking.model import FileChecksum, FileState, MonthRecord
from discogs.tracking.postgres import PostgresMonthRepository

log = logging.getLogger(__name__)

#: Seconds after which an unfinished download that no run continues is deleted.
_STALE_PART_SECONDS = 7 * 86400.0


@dataclass(frozen=True)
class MonthFiles:
    """The files of one month, and their rows."""

    repository: PostgresMonthRepository
    month: Month

    def record_plan(
        self,
        dump: DumpSet,
        published: dict[str, str],
        asked: Sequence[Entity],
        needed: Sequence[Entity],
    ) -> list[PlannedFile]:
        """Record which files are published, and which of them a run needs.

        :param asked: the entities of the run; what is recorded of other entities stays.
        :param needed: those of them that the run loads.
        """
        others = {
            name: checksum.expected
            for name, checksum in self.repository.ensure(self.month).file_checksums.items()
            if DumpFile(name, "").entity not in asked
        }
        listed = {file.name: published.get(file.name) for file in dump.files}
        self.repository.record_published(self.month, dump.dump_date, {**others, **listed})
        planned = []
        for entity in needed:
            file = dump.file(entity)
            self.repository.record_file(
                self.month, file.name, state=FileState.PENDING, url=file.url, size=file.size
            )
            planned.append(PlannedFile(replace(dump, files=(file,)), published.get(file.name)))
        return planned

    def planned(self, record: MonthRecord, asked: Sequence[Entity]) -> list[PlannedFile]:
        """The files to load, as recorded by ``record_plan``, for a run that has lost its own list.

        :param asked: the entities of the run.
        """
        needed = record.not_loaded(asked) or asked
        if record.dump_date is None:
            return []
        planned = {}
        for row in self.repository.files(self.month):
            file = DumpFile(row.file_name, row.url or "", row.size)
            if file.entity in needed and file.name in record.file_checksums:
                dump = DumpSet(self.month, record.dump_date, (file,), ())
                expected = record.file_checksums[file.name].expected
                planned[file.entity] = PlannedFile(dump, expected)
        return [planned[entity] for entity in needed if entity in planned]

    def fetch(
        self, source: Source, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> DownloadReport:
        """Bring a file into the storage, and record the progress."""
        name, file = planned.name, planned.file

        def record(progress: Progress) -> None:
            try:
                self.repository.record_file(
                    self.month,
                    name,
                    bytes_done=progress.done,
                    size=progress.total,
                    attempts=before + progress.attempt if progress.attempt is not None else None,
                )
            except DiscogsError as error:  # the download goes on
                log.warning("The progress of %s is not recorded: %s", name, error)
            if on_progress is not None:
                on_progress(progress)

        begun = self.repository.record_file(
            self.month, name, state=FileState.DOWNLOADING, url=file.url, size=file.size
        )
        before = begun.attempts - 1
        try:
            report = source.fetch(planned, self._expected(planned), record)
        except BaseException as error:
            self._record_failed(name, error)
            raise
        if report.republished:
            self.repository.record_checksums(self.month, {name: FileChecksum(report.sha256)})
        self.repository.record_file(
            self.month,
            name,
            state=FileState.DOWNLOADED,
            size=report.size,
            bytes_done=report.size,
            sha256=report.sha256,
        )
        return report

    def verify(
        self, source: Source, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> FileChecksum:
        """Compare a stored file with its published SHA-256.

        The row becomes ``verified``, unless no CHECKSUM.txt lists the file.

        :raises ChecksumMismatch: when it differs; the file is deleted.
        """
        name = planned.name
        try:
            actual, size = source.verify(planned, self._expected(planned), on_progress)
        except BaseException as error:
            self._record_failed(name, error)
            raise
        now = dt.datetime.now(dt.timezone.utc)
        checksum = FileChecksum(self._expected(planned), actual, size, now)
        self.repository.record_checksums(self.month, {name: checksum})
        state = FileState.DOWNLOADED if checksum.is_unlisted else FileState.VERIFIED
        self.repository.record_file(self.month, name, state=state, sha256=actual, size=size)
        return checksum

    def require_verified(self, record: MonthRecord, planned: Sequence[PlannedFile]) -> None:
        """:raises MonthNotReady: naming the files that are not verified."""
        checksums = record.file_checksums
        unverified = [
            file.name
            for file in planned
            if file.name not in checksums or not checksums[file.name].is_right
        ]
        if unverified:
            raise MonthNotReady(
                f"{self.month} is not ready: {', '.join(unverified)} not verified."
                " Clear the task checksum of each, with what follows it."
            )

    def sha256(self, planned: PlannedFile) -> str | None:
        """The SHA-256 with which a stored file was verified; None when it was not verified."""
        record = self.repository.get(self.month)
        checksum = record.file_checksums.get(planned.name) if record is not None else None
        return checksum.actual if checksum is not None else None

    def clean_up(self, storage: DumpStorage, keep: int | None) -> CleanupReport:
        """Delete the files of months, this one or others, that are not to be kept.

        :param keep: the number of newest completed months whose files are kept; None keeps all.
        """
        report = clean(
            storage,
            completed=reconciliation.completed(self.repository),
            in_use=[record.month for record in reconciliation.at_work(self.repository)],
            keep=keep,
            stale_seconds=_STALE_PART_SECONDS,
        )
        for record in self.repository.all():
            for file in self.repository.files(record.month):
                if file.file_name in report.deleted:
                    self.repository.record_file(
                        record.month, file.file_name, state=FileState.DELETED
                    )
        return report

    def _expected(self, planned: PlannedFile) -> str | None:
        """The published SHA-256 of a file, as last recorded."""
        record = self.repository.get(self.month)
        checksum = record.file_checksums.get(planned.name) if record is not None else None
        return checksum.expected if checksum is not None else planned.sha256

    def _record_failed(self, name: str, error: BaseException) -> None:
        message = str(error).replace("\0", "").strip() or type(error).__name__
        with suppress(DiscogsError):  # the database may be what failed
            self.repository.record_file(
                self.month, name, state=FileState.FAILED, error_message=message
            )
