"""A run's work on its month: the steps, and the status that each gives the month's row.

```
not_started → downloading → ready_for_processing → processing → completed | failed
```
Airflow's tasks call the steps, each in its own process; the command calls them in sequence. A run
claims its month, so that no two runs work on it. Every step can be called again and skips what is
already done. A failed row stays ``failed`` until its run is started again: tasks of the run that
are still executed beside the failed one do not change it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from discogs.database.connection import Connect
from discogs.database.locking import advisory_lock
from discogs.dumps.download import DownloadReport
from discogs.dumps.listing import DumpSet
from discogs.dumps.retention import CleanupReport
from discogs.dumps.storage import DumpStorage
from discogs.errors import DiscogsError
from discogs.load.checks import CheckResult, run_checks
from discogs.load.errors import ChecksFailed, MonthNotReady, StagingStale
from discogs.load.files import MonthFiles
from discogs.load.guards import check_staged
from discogs.load.locks import turn_lock
from discogs.load.merge import discard_staging, merge, month_report
from discogs.load.options import PlannedFile, RunOptions
from discogs.load.pending import Pending, is_pending
from discogs.load.source import Source
from discogs.load.stage import SIZES, Sizes, StageReport, stage
from discogs.progress import OnProgress
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking import progress, reconciliation, transitions
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import FileChecksum, MonthRecord, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from discogs.tracking.report import EntityReport, MonthReport

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MonthRun:
    """A run's work on its month.

    :param connect: opens connections to the target database.
    :param identity: the run, as the month's row names it.
    :param since: when the run was started, or started again after it had ended.
    :param is_alive: whether the run that a row names, other than this run, may still be at work.
    :param sizes: the buffer sizes of staging.
    """

    connect: Connect
    settings: Settings
    options: RunOptions
    identity: RunIdentity
    since: dt.datetime
    is_alive: Callable[[MonthRecord], bool]
    sizes: Sizes = SIZES

    @property
    def month(self) -> Month:
        return self.options.month

    @cached_property
    def repository(self) -> PostgresMonthRepository:
        return PostgresMonthRepository(self.connect)

    @cached_property
    def files(self) -> MonthFiles:
        return MonthFiles(self.repository, self.month)

    # -- before the work -----------------------------------------------------------------

    def pending(self, source: Source) -> Pending:
        """Whether there is anything to do for the month.

        Months whose runs are no longer alive become ``failed`` first.

        :param source: queried only when the month is completed, for files that were uploaded again.
        :raises RetryLimitReached: when the month has failed too often to be loaded without force.
        """
        self._reconcile()
        record = self.repository.ensure(self.month)
        return is_pending(
            record, self.options, source, run=self.identity, limit=self.settings.max_attempts
        )

    def claim(self) -> MonthRecord:
        """Claim the month for this run; its row becomes ``downloading``.

        A claim of a run that is no longer alive is released first.

        :raises MonthTaken: when another run works on the month.
        """
        record = self.repository.claim(self.month, self.identity)
        if record is None:
            self._reconcile()
            record = self.repository.claim(self.month, self.identity)
        if record is None:
            held = self.repository.ensure(self.month)
            raise MonthTaken(self.month, str(held.status), held.owner(self.identity))
        progress.clear(self.connect, self.month)
        return record

    # -- the files -----------------------------------------------------------------------

    def plan(self, source: Source, dump: DumpSet | None = None) -> list[PlannedFile]:
        """Find the month's files, and record which of them this run needs.

        An entity that is already merged from the same file is left out, unless the run is forced.
        If that leaves no entity, the month failed after its merges, and all are loaded again.

        :param dump: the files, if they have just been found; None finds them.
        :raises DiskFull: when the files do not fit in the storage.
        """
        entities = self.options.entities
        dump = dump if dump is not None else source.find(self.month, entities)
        published = source.checksums(dump)
        needed = self.repository.ensure(self.month).not_loaded(entities, published.values())
        # An export is written of all of the run's entities, or not at all.
        if self.options.force or self.settings.export or not needed:
            needed = list(entities)
        planned = self.files.record_plan(dump, published, entities, needed)
        source.require_space(planned)
        return planned

    def planned(self) -> list[PlannedFile]:
        """The files that this run loads, as recorded; empty when it does not have the month."""
        record = self.repository.get(self.month)
        if record is None or not record.is_of(self.identity):
            return []
        return self.files.planned(record, self.options.entities)

    def fetch(
        self, source: Source, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> DownloadReport | None:
        """Bring a file into the storage, unless the complete file is there.

        :returns: None when the month is already completed.
        """
        if self._enter(Status.DOWNLOADING, backwards=False).status is Status.COMPLETED:
            return None
        return self.files.fetch(source, planned, on_progress)

    def verify(
        self, source: Source, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> FileChecksum | None:
        """Compare a stored file with its published SHA-256.

        :returns: None when the month is already completed.
        """
        if self._enter(Status.DOWNLOADING, backwards=False).status is Status.COMPLETED:
            return None
        with progress.recorded(self.connect, self.month, planned.entity, on_progress) as report:
            return self.files.verify(source, planned, report)

    def ready(self, planned: Sequence[PlannedFile]) -> MonthRecord:
        """Check that all files are verified; the row becomes ``ready_for_processing``.

        :raises MonthNotReady: naming the files that are not verified.
        """
        record = self.repository.ensure(self.month)
        if record.status is Status.COMPLETED:
            return record
        self.files.require_verified(record, planned)
        return self._enter(Status.READY_FOR_PROCESSING, backwards=False)

    def take_turn(self) -> MonthRecord | None:
        """Begin the processing of the month, unless another month is in processing.

        A month that was staged before another one was merged would have to be staged again, so the
        months of a backfill are processed one after the other. Of two runs that call this at the
        same time, one begins.

        :returns: the month that is in processing; None when this month's processing has begun.
        """
        with self.connect() as conn, advisory_lock(conn, turn_lock(self.settings.schema)):
            self._reconcile()
            for record in self.repository.all():
                if record.status is Status.PROCESSING and record.month != self.month:
                    return record
            self.begin_processing()
        return None

    # -- the rows ------------------------------------------------------------------------

    def stage(
        self,
        storage: DumpStorage,
        planned: PlannedFile,
        shard: int,
        on_progress: OnProgress | None = None,
    ) -> StageReport | None:
        """Copy one shard of a file's changed records into the staging tables.

        :returns: None when the month is already completed.
        """
        if not self.begin_processing():
            return None
        with (
            storage.open(planned.name) as packed,
            progress.recorded(self.connect, self.month, planned.entity, on_progress) as report,
        ):
            return stage(
                self.connect,
                packed,
                name=planned.name,
                entity=planned.entity,
                month=self.month,
                settings=self.load_settings,
                shard=shard,
                shards=self.options.shards,
                sha256=self.files.sha256(planned),
                total_bytes=storage.size(planned.name),
                on_progress=report,
                sizes=self.sizes,
            )

    def check_staged(self, planned: Sequence[PlannedFile]) -> None:
        """Check the guards of all entities, before anything is merged.

        :raises DumpRefused: naming every limit that is exceeded.
        """
        if self.begin_processing():
            check_staged(
                self.connect,
                [file.entity for file in planned],
                self.month,
                self.settings,
                allow_shrink=self.options.allow_shrink,
            )

    def merge(
        self, storage: DumpStorage, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> EntityReport | None:
        """Merge an entity's staged rows into its tables, in one transaction.

        Rows that were staged before another month was merged are staged again first.

        :returns: what this load did; None when the month is already completed.
        """
        if not self.begin_processing():
            return None
        try:
            report = self._merge(planned.entity, on_progress)
        except StagingStale as stale:
            log.info("%s This task stages it again itself.", stale)
            for shard in range(self.options.shards):
                self.stage(storage, planned, shard, on_progress)
            report = self._merge(planned.entity, on_progress)
        stats = month_report(self.connect, planned.entity, self.month)
        self.repository.record_entity_stats(self.month, planned.entity, stats)
        return report

    def _merge(self, entity: Entity, on_progress: OnProgress | None) -> EntityReport:
        with progress.recorded(self.connect, self.month, entity, on_progress) as report:
            return merge(
                self.connect,
                entity=entity,
                month=self.month,
                settings=self.settings,
                allow_shrink=self.options.allow_shrink,
                run=self.identity,
                on_progress=report,
            )

    @property
    def load_settings(self) -> Settings:
        """The settings, with the run's own filter if it has one."""
        if self.options.filter is None:
            return self.settings
        return replace(self.settings, filter=self.options.filter)

    # -- the end -------------------------------------------------------------------------

    def check(self) -> list[CheckResult]:
        """Run the checks of the merged tables, and record the results in the month's row.

        :raises ChecksFailed: naming the checks that failed.
        """
        results = run_checks(
            self.connect, self.month, self.settings, allow_shrink=self.options.allow_shrink
        )
        self.repository.record_checks(self.month, [result.as_dict() for result in results])
        failed = [str(result) for result in results if not result.passed]
        if failed:
            raise ChecksFailed(self.month, failed)
        return results

    def complete(self) -> MonthReport:
        """Complete the month after its merges and checks; the row becomes ``completed``.

        :returns: the report of the month's last load.
        :raises MonthNotReady: naming the entities that are not merged from the published files, as
            when somebody has marked a task as a success.
        """
        record = self.repository.ensure(self.month)
        missing = record.not_loaded(self.options.entities)
        if record.status is not Status.COMPLETED and missing:
            raise MonthNotReady(
                f"{self.month} is not completed: {', '.join(map(str, missing))} not merged from"
                " the published files. Clear their stage and merge tasks, with what follows them."
            )
        done = self._completed(record)
        progress.clear(self.connect, self.month)
        return MonthReport.of(done, self.repository.files(self.month), last_load=True)

    def _completed(self, record: MonthRecord) -> MonthRecord:
        if record.status is Status.COMPLETED:
            return record
        # The row may be failed by a task that has succeeded since, as this step follows all others.
        self.repository.move(self.month, Status.PROCESSING, run=self.identity)
        return self.repository.move(self.month, Status.COMPLETED, run=self.identity)

    def clean_up(self, storage: DumpStorage) -> CleanupReport:
        """Delete the files of months that are not to be kept, never those of a month at work."""
        record = self.repository.ensure(self.month)
        if record.is_of(self.identity):  # another run may have claimed the month since
            self._completed(record)  # an earlier attempt of this task may have failed the row
        keep = None if self.options.keep_files else self.settings.keep_months
        return self.files.clean_up(storage, keep)

    def discard_staging(self) -> list[str]:
        """Drop the staging tables that no month needs any more.

        A failure is only logged, since the month is already loaded.

        :returns: the names of the dropped tables.
        """
        unstaged = (Status.COMPLETED, Status.NOT_STARTED)
        try:
            # The lock keeps other months from beginning to stage.
            with self.connect() as conn, advisory_lock(conn, turn_lock(self.settings.schema)):
                # A failed month continues from its staged rows.
                needed = [r.month for r in self.repository.all() if r.status not in unstaged]
                dropped = discard_staging(self.connect, self.settings, needed)
        except DiscogsError as error:
            log.warning("Left-over staging tables were not dropped: %s", error)
            return []
        if dropped:
            log.info("Dropped left-over staging tables: %s.", ", ".join(dropped))
        return dropped

    def fail(self, message: str) -> MonthRecord | None:
        """Record a failure; the row becomes ``failed``, with the first message of the run.

        :returns: None when the row is not changed, since another run has the month.
        """
        return reconciliation.record_failure(
            self.repository,
            self.month,
            self.identity,
            message,
            limit=self.settings.max_attempts,
            started=self.since,
        )

    def _reconcile(self) -> None:
        reconciliation.reconcile(
            self.repository,
            lambda record: record.is_of(self.identity) or self.is_alive(record),
        )

    def begin_processing(self) -> bool:
        """Set the row to ``processing``.

        :returns: False when the month is already completed, and there is nothing to do.
        """
        return self._enter(Status.PROCESSING).status is not Status.COMPLETED

    def _enter(self, to: Status, *, backwards: bool = True) -> MonthRecord:
        """Set the row to the status of a task that begins, as :func:`transitions.enter` decides.

        :param backwards: whether the row may return from a later status.
        """
        self.repository.ensure(self.month)
        record = self.repository.change(
            self.month,
            lambda row, now: transitions.enter(
                row, to, run=self.identity, since=self.since, now=now, backwards=backwards
            ),
        )
        assert record is not None
        return record
