"""DAG-run listeners: they set a run's partition key, and record its result in the month's row and
in the run's note, however the run ends.

Airflow calls them in the scheduler or, for a run that a user marks as success or failed, in the
api-server; in the latter case it calls no callback of a task or of the DAG. They are called for
every run of every DAG, so they return at once: they read what the run's tasks left in Airflow's own
database, and leave the target database, which may not answer, to a thread.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from discogs.airflow import metrics, notes
from discogs.airflow.failures import explanation, record
from discogs.airflow.runs import Run, task_name
from discogs.airflow.targets import Target, target_of
from discogs.errors import DiscogsError
from discogs.schema.entities import Entity

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Set the partition key of a run that was triggered without one."""
    if target_of(dag_run) is None:
        return
    run = Run.of(dag_run)
    try:
        month = run.month
    except DiscogsError as error:
        _note(dag_run, run, str(error))
        return
    if dag_run.partition_key is None:
        dag_run.partition_key = str(month)
        dag_run.partition_date = dt.datetime(month.year, month.month, 1, tzinfo=dt.timezone.utc)
    _note(dag_run, run, "running.")


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Set the month to ``failed``, unless a task of the run has already recorded its error."""
    target = target_of(dag_run)
    if target is None:
        return
    metrics.failed()
    run, failed = Run.of(dag_run), _tasks(dag_run, "failed")
    said = _summaries(dag_run)
    errors = [said[key] for ti in failed if (key := (ti.task_id, ti.map_index)) in said]
    message = errors[0] if errors else _explanation(dag_run, msg, failed)
    _in_background(run, lambda: record(target, run, message))
    _note(dag_run, run, f"failed. {message}")


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Settle the month of a run that ended as a success.

    A run may have been marked as one before everything was merged.
    """
    target = target_of(dag_run)
    if target is None:
        return
    run, said = Run.of(dag_run), _summaries(dag_run)
    _in_background(run, lambda: _settle(target, run))
    _note(dag_run, run, next(reversed(said.values()), "ended without loading anything."))


def _note(dag_run: DagRun, run: Run, text: str) -> None:
    try:
        asked: object = run.month
    except DiscogsError:  # it has no month
        asked = run.partition_key or run.conf.get("year_month")
    try:
        notes.write(dag_run, asked, text)
    except Exception:  # a note must not stop the run
        log.exception("The note of %s could not be written.", run.run_id)


def _session(dag_run: DagRun) -> Any:
    """The caller's session. Airflow's methods would otherwise reuse it, and close it."""
    from sqlalchemy.orm import object_session

    return object_session(dag_run)


def _tasks(dag_run: DagRun, state: str) -> list[Any]:
    from airflow.utils.state import TaskInstanceState

    session = _session(dag_run)
    if session is None:
        return []
    return list(dag_run.get_task_instances(state=TaskInstanceState(state), session=session))


def _summaries(dag_run: DagRun) -> dict[tuple[str, int], str]:
    """The summaries that the run's tasks pushed, by task id and map index, oldest first."""
    from airflow.models.xcom import XComModel

    session = _session(dag_run)
    if session is None:
        return {}
    query = XComModel.get_many(run_id=dag_run.run_id, key=notes.SUMMARY, dag_ids=dag_run.dag_id)
    try:
        found = sorted(session.scalars(query), key=lambda row: row.timestamp)
        return {
            (row.task_id, row.map_index): str(XComModel.deserialize_value(row)) for row in found
        }
    except Exception:
        log.exception("The summaries of the tasks of %s could not be read.", dag_run.run_id)
        return {}


def _explanation(dag_run: DagRun, reason: str, failed: list[Any]) -> str:
    """Why a run failed, as far as Airflow knows."""
    if reason != "timed_out":
        return explanation(reason, [task_name(ti) for ti in failed])
    # On dagrun_timeout Airflow marks running tasks as skipped, without an end date.
    stopped = [
        task_name(ti) for ti in _tasks(dag_run, "skipped") if ti.start_date and not ti.end_date
    ]
    limit = getattr(getattr(dag_run, "dag", None), "dagrun_timeout", None)
    return explanation(f"timed out after {limit} (dagrun_timeout)", stopped)


def _settle(target: Target, run: Run) -> None:
    from discogs.tracking import reconciliation

    entities = [Entity(name) for name in run.conf.get("entities") or Entity]
    reconciliation.settle(target.hook().repository(), run.month, run.identity, entities)


def _in_background(run: Run, work: Callable[[], None]) -> None:
    def guarded() -> None:
        # Errors are only logged: the next run finds the row of a run that has ended.
        try:
            work()
        except DiscogsError as error:
            log.warning(
                "The end of %s could not be recorded in the tracking table: %s", run.run_id, error
            )
        except Exception:
            log.exception("The end of %s could not be recorded in the tracking table.", run.run_id)

    threading.Thread(target=guarded, name="discogs-run-ended", daemon=True).start()
