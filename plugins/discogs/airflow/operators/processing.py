"""The tasks from files to rows: stage, merge, check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator
from discogs.schema.entities import Entity

if TYPE_CHECKING:
    from airflow.sdk import Context

#: How many reasons for rejected records are logged.
_REASONS = 5


class _EntityOperator(DiscogsOperator):
    """A step of one entity.

    :param entity: ``labels``, ``artists``, ``masters`` or ``releases``.
    """

    _verb = "working on"

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "entity")

    def __init__(self, *, entity: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entity = entity
        self.doing = f"{self._verb} the {entity}"  # until its file is known


class StageOperator(_EntityOperator):
    """Reads the file, skips records whose fingerprint is unchanged, parses the others and copies
    their rows into staging tables, replacing what an earlier attempt staged.

    :param shard: which records: those whose ``id mod shards`` is this number.
    :param shards: number of shards.
    """

    _verb = "staging"

    template_fields: Sequence[str] = (*_EntityOperator.template_fields, "shard", "shards")

    def __init__(self, *, shard: int = 0, shards: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard
        self.shards = shards

    def work(self, context: Context) -> dict[str, Any] | None:
        run = self.month_run(context)
        planned = self.file_of(context, Entity(self.entity))
        self.doing = f"{self._verb} {planned.name}"
        size = f"{planned.file.size:,} bytes" if planned.file.size else "of unknown size"
        self.log.info("Staging %s, %s, from %s.", planned.name, size, self.storage)
        report = run.stage(self.storage, planned, self.shard, self.log_progress())
        if report is None:
            self.log.info("%s is completed: nothing is staged.", run.month)
            return None
        self.log.info("%s", report)
        if report.rejected:
            self._warn_of_rejected(planned.entity, report.rejected)
        return report.as_dict()

    def _warn_of_rejected(self, entity: Entity, count: int) -> None:
        from discogs.database.not_loaded import rejected_reasons
        from discogs.load.stage import staging_of

        month = self.options.month
        self.log.warning(
            "%s of %s: %s records were rejected. The merge writes them to the table"
            " rejected_records, with reason, position and XML:"
            " SELECT * FROM %s.rejected_records WHERE year_month = '%s' AND entity = '%s';",
            entity,
            month,
            f"{count:,}",
            self.settings.schema,
            month,
            entity,
        )
        staging = staging_of(self.settings, entity, month)
        with self.postgres.connect() as conn:
            for reason, times, record_id in rejected_reasons(conn, staging, self.shard, _REASONS):
                record = f", such as record {record_id}" if record_id is not None else ""
                self.log.warning("%s rejected: %s%s", f"{times:,}", reason, record)

    def measure(self, result: dict[str, Any]) -> None:
        metrics.staged(self.entity, result)


class CheckStagedOperator(DiscogsOperator):
    """Checks the limits of every staged file, before anything of the month is merged.

    Fails when a dump has no records, or fewer than the previous month by more than
    `DISCOGS_MAX_SHRINK` (*Allow shrink* accepts both), and when more than `DISCOGS_MAX_REJECTED` of
    its records were rejected.
    """

    def work(self, context: Context) -> None:
        planned = self.files(context, required=False)
        if not planned:
            raise AirflowSkipException("This run has staged nothing.")
        self.month_run(context).check_staged(planned)
        names = ", ".join(str(file.entity) for file in planned)
        self.log.info("Completely staged, and within the limits: %s.", names)


class MergeOperator(_EntityOperator):
    """Merges the staged rows into the entity's tables, in one transaction: readers see the month
    before or the month after.

    Rows that were staged before another month was merged are staged again first.
    """

    _verb = "merging"

    def work(self, context: Context) -> dict[str, Any] | None:
        planned = self.file_of(context, Entity(self.entity), required=False)
        run = self.month_run(context)
        self.doing = f"{self._verb} {planned.name}"
        self.log.info("Merging the staged rows of %s.", planned.name)
        report = run.merge(self.storage, planned, self.log_progress())
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
