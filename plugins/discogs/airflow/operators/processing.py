"""From files to rows: stage, merge, check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator, wanted_file
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
        from discogs.load.stage import stage

        plan, shard = self.options, int(self.shard)
        context["discogs_shard"] = f"shard {shard + 1} of {plan.shards}"  # type: ignore[typeddict-unknown-key]
        wanted = wanted_file(self.files, Entity(self.entity))
        if not self.life(context).processing():
            self.log.info("%s is completed: nothing is staged.", plan.month)
            return None
        name, storage = wanted.file.name, self.storage
        with storage.open(name) as opened:
            report = stage(
                self.postgres.connect,
                opened,
                name=name,
                entity=wanted.entity,
                month=plan.month,
                shard=shard,
                shards=plan.shards,
                settings=self.settings,
                total_bytes=storage.size(name),
                on_progress=self._tell(),
            )
        self.log.info("%s", report)
        return report.as_dict()

    def measure(self, result: dict[str, Any]) -> None:
        metrics.staged(self.entity, result)

    def _tell(self) -> Callable[[Progress], None]:
        """Logs progress, not more often than every few seconds."""
        from discogs.progress import Ticker

        ticker = Ticker(_PROGRESS_SECONDS)

        def tell(progress: Progress) -> None:
            if ticker.due():
                self.log.info("%s", progress)

        return tell


class MergeOperator(_EntityOperator):
    """Merges an entity's staged rows into its tables, in one transaction.

    When another month was merged since they were staged, they are staged again first.
    """

    ui_color = "#a9dcae"

    def work(self, context: Context) -> dict[str, Any] | None:
        from discogs.load.folder import merge_again

        plan, life = self.options, self.life(context)
        wanted = wanted_file(self.files, Entity(self.entity))
        if not life.processing():
            self.log.info("%s is completed: nothing is merged.", plan.month)
            return None
        name, storage = wanted.file.name, self.storage
        report = merge_again(
            self.postgres.connect,
            lambda: storage.open(name),
            name=name,
            entity=wanted.entity,
            month=plan.month,
            settings=dataclasses.replace(self.settings, shards=plan.shards),
            allow_shrink=plan.allow_shrink,
        )
        life.merged(wanted, report.as_dict())
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
        from discogs.errors import ChecksFailed
        from discogs.load.checks import run_checks

        if self.files is None:
            raise AirflowSkipException("This run has loaded nothing.")
        plan = self.options
        results = run_checks(
            self.postgres.connect, plan.month, self.settings, allow_shrink=plan.allow_shrink
        )
        for result in results:
            verdict = "passed" if result.passed else "FAILED"
            self.log.info("%s: %s: %s %s", verdict, result.name, result.value, result.detail)
        failed = [
            f"{result.name}: {result.value} {result.detail}"
            for result in results
            if not result.passed
        ]
        if failed:
            raise ChecksFailed(plan.month, failed)
        return [dataclasses.asdict(result) for result in results]
