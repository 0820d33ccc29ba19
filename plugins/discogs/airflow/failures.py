"""How a run's failure gets into its month's tracking row.

Two places notice one, and both call :func:`record`: a task's ``on_failure_callback``, which has the
error, and the listener for runs, which hears of those whose tasks said nothing (killed, timed out,
marked by hand). The first message of a run stays. What both miss, because a machine went down, the
next run finds; see :mod:`discogs.tracking.reconciliation`.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.schema.entities import Month
    from discogs.tracking.model import RunIdentity

DAG_ID = "discogs_monthly"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run of the DAG, as callbacks and listeners need it.

    :param started: when it began, or began again after it was cleared; None before that.
    :param conf: what it was triggered with.
    """

    dag_id: str
    run_id: str
    partition_key: str | None
    run_after: dt.datetime
    started: dt.datetime | None
    conf: Mapping[str, Any]

    @classmethod
    def of(cls, dag_run: Any) -> Run:
        """Copy what is needed of Airflow's object, whose database session may soon be gone."""
        return cls(
            dag_id=str(dag_run.dag_id),
            run_id=str(dag_run.run_id),
            partition_key=dag_run.partition_key,
            run_after=dag_run.run_after,
            started=dag_run.start_date,
            conf=dict(dag_run.conf or {}),
        )

    @property
    def identity(self) -> RunIdentity:
        from discogs.tracking.model import RunIdentity

        return RunIdentity(self.dag_id, self.run_id)

    @property
    def month(self) -> Month:
        """The month that the run is for.

        :raises InvalidMonth: when its key or its parameter is no month.
        :raises MonthMismatch: when they are two months.
        """
        from discogs.load.options import resolve_month

        return resolve_month(
            partition_key=self.partition_key,
            year_month=self.conf.get("year_month"),
            run_after=self.run_after,
        )


def task_failed(context: Context) -> None:
    """Record the error of a task's last try; called in the task's process."""
    error = context.get("exception")
    message = str(error).strip() or type(error).__name__ if error is not None else "it was stopped"
    record(Run.of(context["dag_run"]), f"{task_name(context['ti'])}: {message}")


def record(run: Run, message: str) -> None:
    """Move the month of a run that has failed to ``failed``, unless its row says so already.

    A month that another run works on stays as it is. What goes wrong here is only logged: the
    database may be what failed, or have no tables yet.
    """
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.errors import DiscogsError
    from discogs.tracking import reconciliation

    try:
        hook, month = DiscogsPostgresHook(), run.month
        row = reconciliation.record_failure(
            hook.repository(),
            month,
            run.identity,
            message,
            limit=hook.settings.max_attempts,
            started=run.started,
        )
    except DiscogsError as error:
        log.warning("The failure is not in the tracking table: %s", error)
        return
    if row is not None:
        log.info("%s is %s: %s", month, row.status, row.error_message)


def task_name(ti: Any) -> str:
    """A task instance as messages name it, such as ``download [releases]``."""
    if ti.map_index is not None and ti.map_index >= 0:
        return f"{ti.task_id} [{getattr(ti, 'rendered_map_index', None) or ti.map_index}]"
    return str(ti.task_id)


def explanation(reason: str, failed: Sequence[str]) -> str:
    """Why a run failed, as far as Airflow knows, for a row that no task's error is in.

    :param reason: Airflow's word for it, such as ``task_failure`` or ``timed_out``.
    :param failed: the names of the tasks that failed.
    """
    if reason == "task_failure" and failed:
        names = ", ".join(sorted(failed))
        return f"{names} failed without an error message (killed or timed out); see the task log."
    return f"The run failed: {reason}"
