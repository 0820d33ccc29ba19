"""From files to rows: stage, merge, check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator, planned_file, planned_files
from discogs.schema.entities import Entity

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.progress import Progress


#: Between two lines of progress in a log.
_PROGRESS_SECONDS = 5.0


class _EntityOperator(DiscogsOperator):
    """A step of one entity.

    :param entity: ``labels``, ``artists``, ``masters`` or ``releases``.
    :param files: those that :class:`.FetchChecksumsOperator` returns.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "entity", "files")

    def __init__(self, *, entity: str, files: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entity = entity
        self.files = files


class StageOperator(_EntityOperator):
    """Brings one shard of a file's changed records into the staging tables.

    ``{{ discogs_shard }}`` names its map index.

    :param shard: its number; a record belongs to shard ``id mod shards``.
    """

    template_fields: Sequence[str] = (*_EntityOperator.template_fields, "shard")
    ui_color = "#cdebd0"

    def __init__(self, *, shard: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def work(self, context: Context) -> dict[str, Any] | None:
        run, shard = self.month_run(context), int(self.shard)
        context["discogs_shard"] = f"shard {shard + 1} of {run.options.shards}"  # type: ignore[typeddict-unknown-key]
        planned = planned_file(self.files, Entity(self.entity))
        report = run.stage(self.storage, planned, shard, self._log_progress())
        if report is None:
            self.log.info("%s is completed: nothing is staged.", run.month)
            return None
        self.log.info("%s", report)
        return report.as_dict()

    def measure(self, result: dict[str, Any]) -> None:
        metrics.staged(self.entity, result)

    def _log_progress(self) -> Callable[[Progress], None]:
        from discogs.progress import Ticker

        ticker = Ticker(_PROGRESS_SECONDS)

        def log_progress(progress: Progress) -> None:
            if ticker.due():
                self.log.info("%s", progress)

        return log_progress


class CheckStagedOperator(DiscogsOperator):
    """Checks the guards of every staged file, before anything of the month is merged.

    Refuses a dump that shrank by more than ``DISCOGS_MAX_SHRINK`` or holds no record (*Allow
    shrink* accepts it), and one of which more than ``DISCOGS_MAX_REJECTED`` were rejected.

    :param files: those that :class:`.FetchChecksumsOperator` returns.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "files")
    ui_color = "#cdebd0"

    def __init__(self, *, files: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files = files

    def work(self, context: Context) -> None:
        self.month_run(context).check_staged(planned_files(self.files))


class MergeOperator(_EntityOperator):
    """Merges an entity's staged rows into its tables, in one transaction.

    When another month was merged since they were staged, they are staged again first.
    """

    ui_color = "#a9dcae"

    def work(self, context: Context) -> dict[str, Any] | None:
        run = self.month_run(context)
        report = run.merge(self.storage, planned_file(self.files, Entity(self.entity)))
        if report is None:
            self.log.info("%s is completed: nothing is merged.", run.month)
            return None
        self.log.info("%s", report)
        return report.as_dict()

    def measure(self, result: dict[str, Any]) -> None:
        metrics.merged(self.entity, result)


class ChecksOperator(DiscogsOperator):
    """Asks the database whether the month came out as it should.

    :param files: those that :class:`.FetchChecksumsOperator` returns;
        None when it was skipped, and this task is too.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "files")
    ui_color = "#cdebd0"

    def __init__(self, *, files: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files = files

    def work(self, context: Context) -> list[dict[str, Any]]:
        if self.files is None:
            raise AirflowSkipException("This run has loaded nothing.")
        results = self.month_run(context).check()
        for result in results:
            self.log.info("%s", result)
        return [result.as_dict() for result in results]
