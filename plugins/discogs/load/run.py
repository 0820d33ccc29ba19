"""A month's way through its statuses: what each step of a run does to the tracking row.

```
not_started → downloading → ready_for_processing → processing → completed | failed
```
A run takes the month, so that no two work on it; every step may be done again, and finds what is
done already. A failed row stays failed until the run that failed is started again: tasks of that
run that go on beside the failed one do their work and leave the row alone.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from discogs.dumps.download import DownloadReport, download
from discogs.dumps.errors import ChecksumMismatch, DumpFileMissing, SourceError
from discogs.dumps.listing import DumpFile, DumpSet
from discogs.dumps.retention import CleanupReport, clean
from discogs.dumps.source import DumpSource
from discogs.dumps.storage import DumpStorage
from discogs.dumps.verify import verify
from discogs.errors import MonthNotReady, MonthTaken, RetryLimitReached
from discogs.load.options import PlannedFile, RunOptions
from discogs.progress import OnProgress, Progress
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking import reconciliation, transitions
from discogs.tracking.model import FileChecksum, FileState, MonthRecord, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository

log = logging.getLogger(__name__)

#: Age at which an unfinished download that no run uses is deleted.
_STALE_PART_SECONDS = 7 * 86400.0


@dataclass(frozen=True)
class Pending:
    """Whether a month is to be loaded, and why or why not."""

    pending: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class MonthRun:
    """One run's hold on one month.

    :param run: who works on it.
    :param since: when the run was started, or started again after it had ended.
    """

    repository: PostgresMonthRepository
    month: Month
    run: RunIdentity
    since: dt.datetime

    # -- before the work -----------------------------------------------------------------

    def pending(self, plan: RunOptions, source: DumpSource, limit: int) -> Pending:
        """Whether there is anything to do for the month.

        :param source: asked only when the month is completed: Discogs re-uploads at times.
        :param limit: failed attempts after which only ``plan.force`` tries again.
        :raises RetryLimitReached: when the month has failed that often.
        """
        record = self.repository.ensure(self.month)
        if plan.force:
            return Pending(True, f"{self.month} is {record.status}, and a load is forced")
        if record.status is Status.FAILED and record.run != self.run:
            if record.retry_count >= limit:
                raise RetryLimitReached(self.month, record.retry_count, limit, record.error_message)
            return Pending(True, f"{self.month} has failed {record.retry_count} times so far")
        if record.status is not Status.COMPLETED:
            return Pending(True, f"{self.month} is {record.status}")
        lacking = [str(entity) for entity in plan.entities if not _loaded(record, entity)]
        if lacking:
            return Pending(True, f"{self.month} is completed without {', '.join(lacking)}")
        try:
            dump = source.find(self.month, plan.entities)
            changed = _changed(record, dump, source.checksums(dump), plan.entities)
        except SourceError as error:
            return Pending(False, f"{self.month} is completed ({error})")
        if changed:
            names = ", ".join(map(str, changed))
            return Pending(True, f"{self.month} is completed, but was published anew: {names}")
        return Pending(False, f"{self.month} is completed, and nothing new is published")

    def claim(self, is_alive: Callable[[RunIdentity], bool]) -> MonthRecord:
        """Take the month; the row becomes ``downloading``.

        :param is_alive: whether a run that holds the month may still be at work. What a dead run
            left becomes ``failed`` first.
        :raises MonthTaken: when another run has it.
        """
        record = self.repository.claim(self.month, self.run)
        if record is None:
            reconciliation.reconcile(self.repository, is_alive)
            record = self.repository.claim(self.month, self.run)
        if record is None:
            held = self.repository.ensure(self.month)
            raise MonthTaken(self.month, str(held.status), str(held.run))
        return record

    def wanted(
        self, plan: RunOptions, dump: DumpSet, published: Mapping[str, str]
    ) -> list[PlannedFile]:
        """Note what is published, and say which files this run needs.

        An entity that was merged from the same bytes before is left out, unless forced. Where
        that leaves nothing, the month failed after its merges: then all are read again.
        """
        record = self.repository.ensure(self.month)
        changed = set(_changed(record, dump, published, plan.entities))
        needed = [
            entity
            for entity in plan.entities
            if plan.force or entity in changed or not _loaded(record, entity)
        ]
        # What is known of entities that this run leaves out stays.
        others = {
            name: digest
            for name, digest in record.published.items()
            if DumpFile(name, "").entity not in plan.entities
        }
        self.repository.record_published(self.month, dump.dump_date, {**others, **published})
        files = []
        for entity in needed or plan.entities:
            file = dump.file(entity)
            self.repository.record_file(
                self.month, file.name, state=FileState.PENDING, url=file.url, size=file.size
            )
            files.append(PlannedFile(replace(dump, files=(file,)), published[file.name]))
        return files

    # -- the files -----------------------------------------------------------------------

    def fetch(
        self,
        source: DumpSource,
        storage: DumpStorage,
        wanted: PlannedFile,
        on_progress: OnProgress | None = None,
    ) -> DownloadReport | None:
        """Download a file, unless it is there, whole, or its month is completed already.

        :returns: None when nothing is to be fetched.
        """
        if self._enter(Status.DOWNLOADING, backwards=False).status is Status.COMPLETED:
            return None
        file, expected = wanted.file, self._expected(wanted)
        self.repository.record_file(
            self.month, file.name, state=FileState.DOWNLOADING, url=file.url, size=file.size
        )

        def told(progress: Progress) -> None:
            self.repository.record_file(
                self.month, file.name, bytes_done=progress.bytes_done, size=progress.total
            )
            if on_progress is not None:
                on_progress(progress)

        report = download(
            source,
            file,
            storage,
            expected,
            current=lambda: source.checksum(wanted.dump, file.name),
            on_progress=told,
        )
        if report.republished:
            self.repository.record_checksums(self.month, {file.name: FileChecksum(report.sha256)})
        self.repository.record_file(
            self.month,
            file.name,
            state=FileState.DOWNLOADED,
            size=report.size,
            bytes_done=report.size,
            sha256=report.sha256,
        )
        return report

    def verify(
        self, source: DumpSource, storage: DumpStorage, wanted: PlannedFile, attempts: int
    ) -> FileChecksum | None:
        """Compare a stored file with its published SHA-256, and fetch it anew where it differs.

        :param attempts: comparisons in all.
        :returns: None when the month is completed already.
        :raises ChecksumMismatch: after the last one.
        """
        name = wanted.file.name
        for attempt in range(1, attempts + 1):
            if self._enter(Status.DOWNLOADING, backwards=False).status is Status.COMPLETED:
                return None
            try:
                expected = self._expected(wanted)
                size = verify(storage, name, expected)
                break
            except (ChecksumMismatch, DumpFileMissing) as error:
                self.repository.record_file(self.month, name, state=FileState.FAILED)
                if attempt == attempts:
                    raise
                log.warning("%s It is fetched again (%d of %d).", error, attempt, attempts - 1)
                self.fetch(source, storage, wanted)
        now = dt.datetime.now(dt.timezone.utc)
        checksum = FileChecksum(expected, expected, size, now)
        self.repository.record_checksums(self.month, {name: checksum})
        self.repository.record_file(
            self.month, name, state=FileState.VERIFIED, sha256=expected, size=size
        )
        return checksum

    def ready(self, files: Iterable[PlannedFile]) -> MonthRecord:
        """All files are there and right; the row becomes ``ready_for_processing``.

        :raises MonthNotReady: naming the files that are not verified.
        """
        record = self.repository.ensure(self.month)
        if record.status is Status.COMPLETED:
            return record
        names = [wanted.file.name for wanted in files]
        checked = record.file_checksums
        unverified = [name for name in names if name not in checked or not checked[name].is_right]
        if unverified:
            raise MonthNotReady(
                f"{self.month} is not ready: {', '.join(unverified)} not verified."
                " Clear the task checksum of each, and what follows it."
            )
        return self._enter(Status.READY_FOR_PROCESSING, backwards=False)

    # -- the rows ------------------------------------------------------------------------

    def take_turn(self, is_alive: Callable[[RunIdentity], bool]) -> MonthRecord | None:
        """Begin the processing, unless another month's is under way.

        Months that are merged one after the other are staged once; a backfill has several at
        work. Call it under a lock, so that of two months one begins.

        :param is_alive: as in :meth:`claim`.
        :returns: the month that has the turn, or None when it is this one's.
        """
        reconciliation.reconcile(self.repository, is_alive)
        for record in self.repository.all():
            if record.status is Status.PROCESSING and record.month != self.month:
                return record
        self.processing()
        return None

    def processing(self) -> bool:
        """The row becomes ``processing``.

        :returns: False when the month is completed already, and nothing is to be done.
        """
        return self._enter(Status.PROCESSING).status is not Status.COMPLETED

    def merged(self, wanted: PlannedFile, report: Mapping[str, Any]) -> None:
        """Keep an entity's numbers, and which bytes they come from."""
        stats = {**report, "sha256": self._expected(wanted)}
        self.repository.record_entity_stats(self.month, wanted.entity, stats)

    def complete(self, entities: Sequence[Entity] = ()) -> MonthRecord:
        """Everything is merged and checked; the row becomes ``completed``.

        :param entities: those that must be merged by now.
        :raises MonthNotReady: naming the ones that are not: a task was marked as done by hand.
        """
        record = self.repository.ensure(self.month)
        if record.status is Status.COMPLETED:
            return record
        lacking = record.not_loaded(entities)
        if lacking:
            raise MonthNotReady(
                f"{self.month} is not completed: {', '.join(map(str, lacking))} not merged."
                " Clear their merge tasks, and what follows them."
            )
        # Whatever failed before was done again since: this comes after all of it.
        self.repository.move(self.month, Status.PROCESSING, run=self.run)
        return self.repository.move(self.month, Status.COMPLETED, run=self.run)

    def failed(self, message: str, limit: int | None = None) -> MonthRecord | None:
        """The row becomes ``failed``; the first failure's message of a run stays.

        :param limit: failed attempts after which another run's failure is not counted.
        :returns: None when the month is another run's.
        """
        return reconciliation.record_failure(
            self.repository, self.month, self.run, message, limit=limit, started=self.since
        )

    def cleanup(self, storage: DumpStorage, settings: Settings, *, keep_all: bool) -> CleanupReport:
        """Delete the files that retention lets go."""
        report = clean(
            storage,
            completed=reconciliation.completed(self.repository),
            in_use=[record.month for record in reconciliation.at_work(self.repository)],
            keep=None if keep_all else settings.keep_months,
            stale_seconds=_STALE_PART_SECONDS,
        )
        self._note_deleted(report.deleted)
        return report

    def unfinished(self) -> list[Month]:
        """Months that a run works on, or that failed and may go on from what is staged."""
        at_rest = (Status.COMPLETED, Status.NOT_STARTED)
        return [r.month for r in self.repository.all() if r.status not in at_rest]

    # -- inside --------------------------------------------------------------------------

    def _enter(self, to: Status, *, backwards: bool = True) -> MonthRecord:
        """Move to a status where a task begins, unless the row is where it shall stay.

        :param backwards: whether a later status gives way.
        """
        self.repository.ensure(self.month)
        record = self.repository.change(
            self.month,
            lambda row, now: transitions.enter(
                row, to, run=self.run, since=self.since, now=now, backwards=backwards
            ),
        )
        assert record is not None
        return record

    def _expected(self, wanted: PlannedFile) -> str:
        """The SHA-256 that a file shall have: the published one, as it was last seen."""
        record = self.repository.get(self.month)
        kept = record.file_checksums.get(wanted.file.name) if record is not None else None
        return kept.expected if kept is not None and kept.expected else wanted.sha256

    def _note_deleted(self, deleted: Mapping[str, int]) -> None:
        for record in self.repository.all():
            for file in self.repository.files(record.month):
                if file.file_name in deleted:
                    self.repository.record_file(
                        record.month, file.file_name, state=FileState.DELETED
                    )


def _loaded(record: MonthRecord, entity: Entity) -> bool:
    return str(entity) in record.processing_stats


def _changed(
    record: MonthRecord, dump: DumpSet, published: Mapping[str, str], entities: Sequence[Entity]
) -> list[Entity]:
    """The loaded entities whose published bytes are others than those they were loaded from."""
    digests = [published[dump.file(entity).name] for entity in entities]
    loaded = [entity for entity in entities if _loaded(record, entity)]
    return record.not_loaded(loaded, digests)
