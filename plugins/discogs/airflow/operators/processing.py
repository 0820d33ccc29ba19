"""From files to rows: stage, merge, check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator
from discogs.progress import Progress, Ticker
from discogs.schema.entities import Entity

if TYPE_CHECKING:
    from airflow.sdk import Context


#: Between two lines of progress in a log.
_PROGRESS_SECONDS = 5.0


class _EntityOperator(DiscogsOperator):
    """A step of one entity.

    :param entity: ``labels``, ``artists``, ``masters`` or ``releases``.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "entity")

    def __init__(self, *, entity: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entity = entity


class StageOperator(_EntityOperator):
    """Reads the file, sets unchanged records aside by their fingerprint, parses the rest and copies
    their rows into staging tables, in place of what an earlier try has staged.

    :param shard: which of the records: those with ``id mod shards`` equal to it.
    :param shards: into how many the records are divided.
    """

    template_fields: Sequence[str] = (*_EntityOperator.template_fields, "shard", "shards")

    def __init__(self, *, shard: int = 0, shards: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard
        self.shards = shards

    def work(self, context: Context) -> dict[str, Any] | None:
        run = self.month_run(context)
        planned = self.file_of(context, Entity(self.entity))
        report = run.stage(self.storage, planned, self.shard, self._log_progress())
        if report is None:
            self.log.info("%s is completed: nothing is staged.", run.month)
            return None
        self.log.info("%s", report)
        return report.as_dict()

    def measure(self, result: dict[str, Any]) -> None:
        metrics.staged(self.entity, result)

    def _log_progress(self) -> Callable[[Progress], None]:
        ticker = Ticker(_PROGRESS_SECONDS)

        def log_progress(progress: Progress) -> None:
            if ticker.due():
                self.log.info("%s", progress)

        return log_progress


class CheckStagedOperator(DiscogsOperator):
    """Checks the guards of every staged file, before anything of the month is merged.

    Refuses a dump that shrank by more than `DISCOGS_MAX_SHRINK` or holds no record (*Allow shrink*
    accepts it), and one of which more than `DISCOGS_MAX_REJECTED` were rejected.
    """

    def work(self, context: Context) -> None:
        planned = self.files(context, required=False)
        if not planned:
            raise AirflowSkipException("This run has staged nothing.")
        self.month_run(context).check_staged(planned)
        names = ", ".join(str(file.entity) for file in planned)
        self.log.info("Staged whole, and within the limits: %s.", names)


class MergeOperator(_EntityOperator):
    """Merges the staged rows into the entity's tables, in one transaction: readers see the month
    before or the month after.

    Rows that were staged before another month was merged are staged again first.
    """

    def work(self, context: Context) -> dict[str, Any] | None:
        planned = self.file_of(context, Entity(self.entity), required=False)
        run = self.month_run(context)
        report = run.merge(self.storage, planned)
        if report is None:
            self.log.info("%s is completed: nothing is merged.", run.month)
            return None
        self.log.info("%s", report)
        return report.as_dict()

    def measure(self, result: dict[str, Any]) -> None:
        metrics.merged(self.entity, result)


class ChecksOperator(DiscogsOperator):
    """Checks counts and references of the merged tables; the SQL is in `include/sql/checks`."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        if not self.files(context, required=False):
            raise AirflowSkipException("This run has loaded nothing.")
        results = self.month_run(context).check()
        for result in results:
            self.log.info("%s", result)
        return [result.as_dict() for result in results]
