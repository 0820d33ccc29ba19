"""The end of a run, good or bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator, disk_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.load.run import MonthRun


_COUNTS = ("read", "unchanged", "inserted", "updated", "removed", "restored", "rejected")


class CompleteOperator(DiscogsOperator):
    """The month is loaded. Returns its report, and emits the events of its assets.

    All from this one task: events of two tasks that end together may leave a DAG that waits for
    both assets waiting for ever.
    """

    ui_color = "#a9dcae"

    def work(self, context: Context) -> dict[str, Any]:
        from discogs.tracking.report import MonthReport

        life = self.life(context)
        report = MonthReport.of(
            life.complete(self.options.entities), life.repository.files(life.month)
        )
        for line in report.as_text().splitlines():
            self.log.info("%s", line)
        self._emit(context, report.as_dict())
        return report.as_dict()

    def _emit(self, context: Context, report: dict[str, Any]) -> None:
        from discogs.airflow.assets import entity_asset

        loaded = {
            entity_asset(name, self.settings): stats for name, stats in report["entities"].items()
        }
        # Airflow emits an event for every outlet that is left.
        self.outlets = [asset for asset in self.outlets if asset in loaded]
        for asset in self.outlets:
            event = context["outlet_events"][asset]
            event.add_partitions(report["year_month"])
            event.extra = {
                "year_month": report["year_month"],
                "dump_date": report["dump_date"],
                **{count: loaded[asset].get(count) for count in _COUNTS},
            }

    def measure(self, result: dict[str, Any]) -> None:
        metrics.completed(result)


class CleanupOperator(DiscogsOperator):
    """Deletes the files that retention lets go; a file that cannot be deleted is only reported."""

    ui_color = "#eeeeee"

    def work(self, context: Context) -> dict[str, Any]:
        life = self.life(context)
        life.complete()  # this task failed before and was cleared: then the row says failed
        report = life.cleanup(self.storage, self.settings, keep_all=self.options.keep_files)
        return {**report.as_dict(), "staging_dropped": self._drop_staging(life)}

    def _drop_staging(self, life: MonthRun) -> list[str]:
        """Left-over staging tables; that some stay is no reason to fail a run that is done."""
        from discogs.errors import DiscogsError
        from discogs.load.merge import discard_staging

        try:
            dropped = discard_staging(self.postgres.connect, self.settings, life.unfinished())
        except DiscogsError as error:
            self.log.warning("Left-over staging tables were not dropped: %s", error)
            return []
        if dropped:
            self.log.info("Dropped left-over staging tables: %s.", ", ".join(dropped))
        return dropped

    def measure(self, result: dict[str, Any]) -> None:
        metrics.disk(disk_of(self.storage))
