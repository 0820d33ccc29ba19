"""How a run's failure gets into its month's tracking row.

Two places notice one, and both call :func:`record`: a task's ``on_failure_callback``, which has the
error, and the listener for runs, for those whose tasks ended without one (killed, timed out, marked
by hand). The first message of a run stays, except that a task's error replaces the listener's when
that knew none: a task records its error only after Airflow knows that it failed. What both miss,
because a machine went down, the next run finds; see :mod:`discogs.tracking.reconciliation`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowTaskTimeout

from discogs.airflow import notes
from discogs.airflow.retries import translated
from discogs.airflow.runs import Run, task_name
from discogs.airflow.targets import Target
from discogs.errors import DiscogsError
from discogs.tracking.transitions import UNEXPLAINED

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def task_failed(context: Context) -> None:
    """Record the error of a task's last try; called in the task's process."""
    ti: Any = context["ti"]
    message = f"{task_name(ti)}: {_message(context.get('exception'), context['task'])}"
    try:
        ti.xcom_push(key=notes.SUMMARY, value=message)  # for the run's note
    except Exception as error:
        log.warning("The failure will not be in the run's note: %s", error)
    record(Target.of(context["task"]), Run.of(context["dag_run"]), message)


def _message(error: object, task: Any) -> str:
    if error is None:
        return "it was stopped"
    if not isinstance(error, AirflowTaskTimeout):
        error = translated(error) if isinstance(error, BaseException) else error
        return str(error).strip() or type(error).__name__
    # Its own text is the number of a process.
    limit = task.execution_timeout
    default = conf.get("core", "default_task_execution_timeout", fallback="")
    is_default = limit is not None and default and limit.total_seconds() == float(default)
    which = (
        "Airflow's setting default_task_execution_timeout" if is_default else "execution_timeout"
    )
    doing = getattr(task, "doing", None)
    return (
        f"timed out after {limit} ({which}){f' while {doing}' if doing else ''}. Give it more time,"
        " and clear the task."
    )


def record(target: Target, run: Run, message: str) -> None:
    """Move the month of a run that has failed to ``failed``, unless its row says so already.

    A month that another run works on stays as it is. What goes wrong here is only logged: the
    database may be what failed, or have no tables yet.
    """
    from discogs.database.errors import NotMigrated
    from discogs.tracking import reconciliation

    try:
        hook, month = target.hook(), run.month
        row = reconciliation.record_failure(
            hook.repository(),
            month,
            run.identity,
            message,
            limit=hook.settings.max_attempts,
            started=run.started,
        )
    except NotMigrated:
        log.warning("%s (not in the tracking table: the database has none yet)", message)
        return
    except DiscogsError as error:
        log.warning("The failure is not in the tracking table: %s", error)
        return
    if row is not None:
        log.info("%s is %s: %s", month, row.status, row.error_message)


def explanation(reason: str, failed: Sequence[str]) -> str:
    """Why a run failed, as far as Airflow knows, for a row that no task's error is in.

    :param reason: Airflow's word for it, such as ``task_failure``, or what it did.
    :param failed: the names of the tasks that failed, or were stopped.
    """
    if reason.startswith("timed out"):
        at = f" at {', '.join(sorted(failed))}" if failed else ""
        return f"The run {reason}{at}. Give it more time, and clear what was stopped."
    if reason == "task_failure" and failed:
        names = ", ".join(sorted(failed))
        return f"{names} {UNEXPLAINED} (killed or timed out); see the task log."
    return f"The run failed: {reason}"
