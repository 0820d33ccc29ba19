"""One run's work on one month, step by step, and what each step does to the month's row.

```
not_started → downloading → ready_for_processing → processing → completed | failed
```
Airflow's tasks call the steps one by one, in processes of their own; the command calls them in a
row. A run claims the month, so that no two work on it. Every step may be called again, and finds
what is done already. A failed row stays failed until the run that failed is started again: tasks
of that run that are still at work beside the failed one leave the row alone.
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
    """One run's work on one month.

    :param connect: opens connections to the target database.
    :param options: what the run was asked to do.
    :param identity: the run, as the month's row names it.
    :param since: when the run was started, or started again after it had ended.
    :param is_alive: whether the run that another month's row names, or another run that this
        month's row names, may still be at work.
    :param sizes: of what staging holds in memory.
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

        Months that runs left at work which are gone become ``failed`` first.

        :param source: asked only when the month is completed: Discogs uploads files again.
        :raises RetryLimitReached: when the month has failed too often to be tried without force.
        """
        self._reconcile()
        record = self.repository.ensure(self.month)
        return is_pending(
            record, self.options, source, run=self.identity, limit=self.settings.max_attempts
        )

    def claim(self) -> MonthRecord:
        """Claim the month for this run; its row becomes ``downloading``.

        What a run left at work which is gone becomes ``failed`` first.

        :raises MonthTaken: when another run has it.
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

        An entity that was merged from the same bytes before is left out, unless forced. Where
        that leaves nothing, the month failed after its merges: then all are loaded again.

        :param dump: the files as they were found a moment ago; None looks now.
        :raises DiskFull: when they do not fit.
        """
        entities = self.options.entities
        dump = dump if dump is not None else source.find(self.month, entities)
        published = source.checksums(dump)
        needed = self.repository.ensure(self.month).not_loaded(entities, published.values())
        # An export has all of them, or is not written.
        if self.options.force or self.settings.export or not needed:
            needed = list(entities)
        planned = self.files.record_plan(dump, published, entities, needed)
        source.require_space(planned)
        return planned

    def planned(self) -> list[PlannedFile]:
        """The files that this run loads, as the rows know them; none when it lacks the month."""
        record = self.repository.get(self.month)
        if record is None or not record.is_of(self.identity):
            return []
        return self.files.planned(record, self.options.entities)

    def fetch(
        self, source: Source, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> DownloadReport | None:
        """Bring a file into the storage, unless it is there, whole.

        :returns: None when the month is completed already.
        """
        if self._enter(Status.DOWNLOADING, backwards=False).status is Status.COMPLETED:
            return None
        return self.files.fetch(source, planned, on_progress)

    def verify(
        self, source: Source, planned: PlannedFile, on_progress: OnProgress | None = None
    ) -> FileChecksum | None:
        """Compare a stored file with its published SHA-256.

        :returns: None when the month is completed already.
        """
        if self._enter(Status.DOWNLOADING, backwards=False).status is Status.COMPLETED:
            return None
        with progress.recorded(self.connect, self.month, planned.entity, on_progress) as report:
            return self.files.verify(source, planned, report)

    def ready(self, planned: Sequence[PlannedFile]) -> MonthRecord:
        """All files are there and verified; the row becomes ``ready_for_processing``.

        :raises MonthNotReady: naming the files that are not verified.
        """
        record = self.repository.ensure(self.month)
        if record.status is Status.COMPLETED:
            return record
        self.files.require_verified(record, planned)
        return self._enter(Status.READY_FOR_PROCESSING, backwards=False)

    def take_turn(self) -> MonthRecord | None:
        """Begin the processing, unless another month is in processing.

        Months that are merged one after the other are staged once; a backfill has several at
        work. Of two that ask at once, one begins.

        :returns: the month that has the turn; None when it is this one.
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

        :returns: None when the month is completed already.
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
        """Check the guards of every file, before anything is merged.

        :raises DumpRefused: naming every guard that does not hold.
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

        What was staged before another month was merged is staged again first.

        :returns: what this load did; None when the month is completed already.
        """
        if not self.begin_processing():
            return None
        try:
            report = self._merge(planned.entity, on_progress)
        except StagingStale as stale:
            log.info("%s It is done here.", stale)
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
        """The settings with what the run was asked for in their place."""
        if self.options.filter is None:
            return self.settings
        return replace(self.settings, filter=self.options.filter)

    # -- the end -------------------------------------------------------------------------

    def check(self) -> list[CheckResult]:
        """Run the checks of the merged tables; their results are kept in the row.

        :raises ChecksFailed: naming those that failed.
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
        """Everything is merged and checked; the row becomes ``completed``.

        :returns: the report of the month's last load.
        :raises MonthNotReady: naming the entities whose rows do not come from the files that are
            published: a task was marked as a success by hand.
        """
        record = self.repository.ensure(self.month)
        lacking = record.not_loaded(self.options.entities)
        if record.status is not Status.COMPLETED and lacking:
            raise MonthNotReady(
                f"{self.month} is not completed: {', '.join(map(str, lacking))} not merged from"
                " the published files. Clear their stage and merge tasks, and what follows them."
            )
        done = self._completed(record)
        progress.clear(self.connect, self.month)
        return MonthReport.of(done, self.repository.files(self.month), last_load=True)

    def _completed(self, record: MonthRecord) -> MonthRecord:
        if record.status is Status.COMPLETED:
            return record
        # The row may be failed: by a task that was done again since, as this comes after all.
        self.repository.move(self.month, Status.PROCESSING, run=self.identity)
        return self.repository.move(self.month, Status.COMPLETED, run=self.identity)

    def clean_up(self, storage: DumpStorage) -> CleanupReport:
        """Delete the files that retention lets go; never those of a month that is at work."""
        record = self.repository.ensure(self.month)
        if record.is_of(self.identity):  # another run may have the month since
            self._completed(record)  # this task may have failed before, and the row with it
        keep = None if self.options.keep_files else self.settings.keep_months
        return self.files.clean_up(storage, keep)

    def discard_staging(self) -> list[str]:
        """Drop the staging tables that no month needs any more; their names.

        A failure is only logged: the month is loaded all the same.
        """
        at_rest = (Status.COMPLETED, Status.NOT_STARTED)
        try:
            # So that no month begins to stage meanwhile.
            with self.connect() as conn, advisory_lock(conn, turn_lock(self.settings.schema)):
                # A failed month goes on from what is staged.
                needed = [r.month for r in self.repository.all() if r.status not in at_rest]
                dropped = discard_staging(self.connect, self.settings, needed)
        except DiscogsError as error:
            log.warning("Left-over staging tables were not dropped: %s", error)
            return []
        if dropped:
            log.info("Dropped left-over staging tables: %s.", ", ".join(dropped))
        return dropped

    def fail(self, message: str) -> MonthRecord | None:
        """The row becomes ``failed``; the first message of a run's failure stays.

        :returns: None when the failure does not concern the row: the month is another run's.
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
        """The row becomes ``processing``.

        :returns: False when the month is completed already, and nothing is to be done.
        """
        return self._enter(Status.PROCESSING).status is not Status.COMPLETED

    def _enter(self, to: Status, *, backwards: bool = True) -> MonthRecord:
        """Move the row to where a task begins, as :func:`transitions.enter` does.

        :param backwards: whether the month may go back from a later status.
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
