"""The last tasks of a run: report and cleanup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discogs.airflow import metrics, notes
from discogs.airflow.assets import entity_asset
from discogs.airflow.operators.base import DiscogsOperator, disk_of

if TYPE_CHECKING:
    from airflow.sdk import Context


_COUNTS = (
    "read",
    "unchanged",
    "inserted",
    "updated",
    "removed",
    "restored",
    "rejected",
    "stage_seconds",
    "merge_seconds",
)


class CompleteOperator(DiscogsOperator):
    """Sets the month to `completed`, logs and returns its report, and emits its assets' events.

    This one task emits all events: if two tasks emitted theirs at the same time, a DAG that waits
    for both assets might never start.
    """

    def work(self, context: Context) -> dict[str, Any]:
        report = self.month_run(context).complete()
        for line in report.as_text().splitlines():
            self.log.info("%s", line)
        found = report.as_dict()
        context["ti"].xcom_push(key=notes.SUMMARY, value=notes.loaded(found))
        self._emit(context, found)
        return found

    def _emit(self, context: Context, report: dict[str, Any]) -> None:
        loaded = {
            entity_asset(name, self.settings, postgres_conn_id=self.postgres_conn_id): stats
            for name, stats in report["entities"].items()
        }
        # Airflow emits an event for every remaining outlet.
        self.outlets = [asset for asset in self.outlets if asset in loaded]
        for asset in self.outlets:
            event = context["outlet_events"][asset]
            event.add_partitions(report["year_month"])
            event.extra = {
                "year_month": report["year_month"],
                "dump_date": report["dump_date"],
                **{count: loaded[asset].get(count) for count in _COUNTS},
                "dag_id": report["dag_id"],
                "run_id": report["run_id"],
            }

    def measure(self, result: dict[str, Any]) -> None:
        metrics.completed(result)


class CleanupOperator(DiscogsOperator):
    """Deletes files beyond `DISCOGS_KEEP_MONTHS`, stale `.part` files, and staging tables that no
    month needs. What cannot be deleted is only logged."""

    def work(self, context: Context) -> dict[str, Any]:
        run = self.month_run(context)
        report = run.clean_up(self.storage)
        return {**report.as_dict(), "staging_dropped": run.discard_staging()}

    def measure(self, result: dict[str, Any]) -> None:
        metrics.disk(disk_of(self.storage))
