"""Before the work: which month, is the database ready, is there anything to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import SkipMixin

from discogs.airflow.operators.base import DiscogsOperator
from discogs.airflow.operators.links import DumpListingLink
from discogs.settings import without_effect

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResolveMonthOperator(DiscogsOperator):
    """Returns the run's plan: its month, by partition key, parameter or date, and its parameters.

    Nothing else in a run reads the key.
    """

    ui_color = "#f4f1de"

    def work(self, context: Context) -> dict[str, Any]:
        from discogs.load.options import RunOptions, resolve_month
        from discogs.schema.entities import Entity

        params, run = context["params"], context["dag_run"]
        month = resolve_month(
            partition_key=run.partition_key,
            year_month=params.get("year_month"),
            run_after=run.run_after,
        )
        chosen = set(params.get("entities") or Entity)
        plan = RunOptions(
            month=month,
            entities=tuple(entity for entity in Entity if entity in chosen),
            shards=params.get("shards") or self.settings.shards,
            keep_files=params.get("keep_files", False),
            allow_shrink=params.get("allow_shrink", False),
            force=params.get("force", False),
        )
        for line in without_effect():
            self.log.warning("%s", line)
        self.log.info("This run loads %s", plan)
        return plan.as_dict()


class MigrateOperator(DiscogsOperator):
    """Brings the target database's tables up to date, in a transaction of its own."""

    ui_color = "#f4f1de"

    def work(self, context: Context) -> list[str]:
        from discogs.database.migrations import migrate

        applied = migrate(self.postgres.connect, self.settings.schema)
        for migration in applied:
            self.log.info(
                "Applied migration %04d %s in %.2f s",
                migration.version,
                migration.name,
                migration.seconds,
            )
        return [migration.name for migration in applied]


class MonthPendingOperator(DiscogsOperator, SkipMixin):
    """Ends the run here, skipping the rest, when the month is loaded and nothing is new.

    Months that runs left at work which are gone become ``failed`` first.
    """

    operator_extra_links = (DumpListingLink(),)
    ui_color = "#e8b7e4"

    def work(self, context: Context) -> str:
        with self.source() as source:
            answer = self.month_run(context).pending(source)
        self.log.info("%s", answer.reason)
        if not answer.pending:
            self.skip(ti=context["ti"], tasks=self.get_flat_relatives(upstream=False))
        return answer.reason
