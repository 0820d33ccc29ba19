"""Listeners that update a month's tracking row when its run ends, however it was ended.

Airflow calls them in the scheduler, and in the api-server for a run that somebody marks; no
callback of a task or of the DAG is called for the latter. They are called for every run of every
DAG, so they return at once: a thread talks to the target database, which may not answer.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from discogs.airflow import metrics
from discogs.airflow.failures import explanation, record
from discogs.airflow.runs import DAG_ID, Run, task_name
from discogs.errors import DiscogsError
from discogs.schema.entities import Entity

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """The month becomes ``failed``, unless a task of the run has recorded its error already."""
    if dag_run.dag_id == DAG_ID:
        metrics.failed()
        run, message = Run.of(dag_run), explanation(msg, _failed_tasks(dag_run))
        _in_background(run, lambda: record(run, message))


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """A month that a run marked as done leaves behind is completed only if all is merged."""
    if dag_run.dag_id == DAG_ID:
        run = Run.of(dag_run)
        _in_background(run, lambda: _settle(run))


def _failed_tasks(dag_run: DagRun) -> list[str]:
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy.orm import object_session

    # The caller's own session: Airflow would open none but that, and close it.
    session = object_session(dag_run)
    if session is None:
        return []
    failed = dag_run.get_task_instances(state=TaskInstanceState.FAILED, session=session)
    return [task_name(ti) for ti in failed]


def _settle(run: Run) -> None:
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.tracking import reconciliation

    entities = [Entity(name) for name in run.conf.get("entities") or Entity]
    reconciliation.settle(DiscogsPostgresHook().repository(), run.month, run.identity, entities)


def _in_background(run: Run, work: Callable[[], None]) -> None:
    def guarded() -> None:
        # Whatever goes wrong: the next run finds the row of a run that is gone.
        try:
            work()
        except DiscogsError as error:
            log.warning("The end of %s is not in the tracking table: %s", run.run_id, error)
        except Exception:
            log.exception("The end of %s is not in the tracking table.", run.run_id)

    threading.Thread(target=guarded, name="discogs-run-ended", daemon=True).start()
