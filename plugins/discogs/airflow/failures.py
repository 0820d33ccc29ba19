"""Recording the failure of a run in the tracking row of its month.

Two places detect a failure, and both call :func:`record`: a task's ``on_failure_callback``, which
has the error, and the DAG-run listener, for runs whose tasks ended without an error (killed, timed
out, marked by hand). The first message of a run is kept, except that a task's error replaces a
listener's message without a cause: a task records its error only after Airflow has marked it as
failed. A failure that both miss, because a machine went down, is found by the next run; see
:mod:`discogs.tracking.reconciliation`.
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
    """Record the error of a task's last attempt; called in the task's process."""
    ti: Any = context["ti"]
    message = f"{task_name(ti)}: {_message(context.get('exception'), context['task'])}"
    try:
        ti.xcom_push(key=notes.SUMMARY, value=message)  # for the run's note
    except Exception as error:
        log.warning("The failure could not be passed on to the run's note: %s", error)
    record(Target.of(context["task"]), Run.of(context["dag_run"]), message)


def _message(error: object, task: Any) -> str:
    if error is None:
        return "stopped without an error"
    if not isinstance(error, AirflowTaskTimeout):
        error = translated(error) if isinstance(error, BaseException) else error
        return str(error).strip() or type(error).__name__
    # The text of an AirflowTaskTimeout holds only a process id.
    limit = task.execution_timeout
    default = conf.get("core", "default_task_execution_timeout", fallback="")
    is_default = limit is not None and default and limit.total_seconds() == float(default)
    which = (
        "Airflow's setting default_task_execution_timeout" if is_default else "execution_timeout"
    )
    doing = getattr(task, "doing", None)
    return (
        f"timed out after {limit} ({which}){f' while {doing}' if doing else ''}. Increase the"
        " limit and clear the task."
    )


def record(target: Target, run: Run, message: str) -> None:
    """Set the month of a failed run to ``failed``, unless it is already.

    A month that another run is loading is left unchanged. Errors are only logged: the database may
    be what failed, or may have no tables yet.
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
        log.warning("%s (not recorded: the database has no tracking table yet)", message)
        return
    except DiscogsError as error:
        log.warning("The failure could not be recorded in the tracking table: %s", error)
        return
    if row is not None:
        log.info("%s is %s: %s", month, row.status, row.error_message)


def explanation(reason: str, failed: Sequence[str]) -> str:
    """Why a run failed, as far as Airflow knows; used when no task has recorded an error.

    :param reason: Airflow's reason, such as ``task_failure``, or a description of what it did.
    :param failed: names of the tasks that failed or were stopped.
    """
    if reason.startswith("timed out"):
        where = f" in {', '.join(sorted(failed))}" if failed else ""
        return f"The run {reason}{where}. Increase the limit and clear the stopped tasks."
    if reason == "task_failure" and failed:
        names = ", ".join(sorted(failed))
        return f"{names} {UNEXPLAINED} (killed or timed out); see the task log."
    return f"The run failed: {reason}"
