"""The end of a run, good or bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from discogs.operators.base import DiscogsOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.months.lifecycle import MonthLife


class CompleteOperator(DiscogsOperator):
    """The month is loaded. Returns its report."""

    ui_color = "#a9dcae"

    def work(self, context: Context) -> dict[str, Any]:
        from discogs.tracking.report import MonthReport

        life = self.life(context)
        report = MonthReport.of(
            life.complete(self.load_plan.entities), life.repository.files(life.month)
        )
        for line in report.as_text().splitlines():
            self.log.info("%s", line)
        return report.as_dict()


class CleanupOperator(DiscogsOperator):
    """Deletes the files that retention lets go; a file that cannot be deleted is only reported."""

    ui_color = "#eeeeee"

    def work(self, context: Context) -> dict[str, Any]:
        life = self.life(context)
        life.complete()  # this task failed before and was cleared: then the row says failed
        report = life.cleanup(self.storage, self.settings, keep_all=self.load_plan.keep_files)
        return {**report.as_dict(), "staging_dropped": self._drop_staging(life)}

    def _drop_staging(self, life: MonthLife) -> list[str]:
        """Left-over staging tables; that some stay is no reason to fail a run that is done."""
        from discogs.errors import DiscogsError
        from discogs.months.merge import discard_staging

        try:
            dropped = discard_staging(self.postgres.connect, self.settings, life.unfinished())
        except DiscogsError as error:
            self.log.warning("Left-over staging tables were not dropped: %s", error)
            return []
        if dropped:
            self.log.info("Dropped left-over staging tables: %s.", ", ".join(dropped))
        return dropped


class RecordFailureOperator(DiscogsOperator):
    """Runs when a task of the run has failed: the month becomes ``failed``, and this task fails.

    A task that raised has told why itself; one that was killed has told nothing.
    """

    ui_color = "#f4b6b6"

    def work(self, context: Context) -> None:
        run = context["dag_run"]
        states = context["ti"].get_task_states(run.dag_id, run_ids=[run.run_id])[run.run_id]
        failed = sorted(name for name, state in states.items() if state == "failed")
        named = ", ".join(failed) or "A task of the run"
        message = f"{named} failed without a word (killed, or out of time): see its log."
        if self.plan is not None:
            life, limit = self.life(context), self.settings.max_attempts
            record = life.failed(message, limit) or life.repository.get(life.month)
            if record is not None and record.error_message:
                message = record.error_message
        raise AirflowFailException(message)
