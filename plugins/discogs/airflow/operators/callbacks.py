"""What Airflow calls when a task or a run has failed: the tracking row must say so too."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any

from discogs.airflow.operators.base import run_identity
from discogs.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def task_failed(context: Context) -> None:
    """The last try of a task failed: its error goes into the month's row, at once."""
    error = context.get("exception")
    said = str(error).strip() or type(error).__name__ if error is not None else "it was stopped"
    _record(context, f"{_task_name(context)}: {said}")


def run_failed(context: Context) -> None:
    """A run failed. Called by the dag-processor, also for a task that was killed.

    It may come late, when the run was started again.
    """
    said = context.get("reason") or "see the logs of its tasks"
    _record(context, f"The run failed: {said}", ended=getattr(context["dag_run"], "end_date", None))


def _record(context: Any, message: str, ended: dt.datetime | None = None) -> None:
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.errors import DiscogsError
    from discogs.load.options import resolve_month
    from discogs.tracking import reconciliation

    dag_run = context["dag_run"]
    month = resolve_month(
        partition_key=dag_run.partition_key,
        year_month=(context.get("params") or dag_run.conf or {}).get("year_month"),
        run_after=dag_run.run_after,
    )
    try:
        record = reconciliation.record_failure(
            DiscogsPostgresHook().repository(),
            month,
            run_identity(context),
            message,
            limit=Settings.from_environment().max_attempts,
            started=dag_run.start_date,
            ended=ended,
        )
    except DiscogsError as error:  # the database may be what failed, or have no tables yet
        log.warning("The failure is not in the tracking table: %s", error)
        return
    if record is not None:
        log.info("%s is %s: %s", month, record.status, record.error_message)


def _task_name(context: Any) -> str:
    ti = context["ti"]
    label = getattr(ti, "rendered_map_index", None)
    if ti.map_index is not None and ti.map_index >= 0:
        return f"{ti.task_id} [{label or ti.map_index}]"
    return str(ti.task_id)
