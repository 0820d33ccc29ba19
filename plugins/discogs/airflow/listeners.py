"""What Airflow tells of a run's end: the tracking row must agree, whoever ended the run.

A run that somebody marks as failed or done on the page calls no callback of the DAG. These hooks
run in the scheduler and in the api-server, for every run of every DAG: they look at the DAG's id,
and leave the rest to a thread, so that a database that does not answer holds nobody up.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

DAG_ID = "discogs_monthly"

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """The month becomes ``failed``, unless a task of the run has said so already."""
    if dag_run.dag_id == DAG_ID:
        _in_background(_failed, _Ended(dag_run, msg))


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """A month that a run marked as done leaves behind is completed only if all is merged."""
    if dag_run.dag_id == DAG_ID:
        _in_background(_succeeded, _Ended(dag_run, msg))


class _Ended:
    """What is needed of a run when its session is gone."""

    def __init__(self, dag_run: DagRun, msg: str) -> None:
        self.dag_id, self.run_id = str(dag_run.dag_id), str(dag_run.run_id)
        self.partition_key = dag_run.partition_key
        self.run_after = dag_run.run_after
        self.started = dag_run.start_date
        self.conf: dict[str, Any] = dict(dag_run.conf or {})
        self.msg = msg


def _in_background(work: Callable[[_Ended], None], ended: _Ended) -> threading.Thread:
    from discogs.errors import DiscogsError

    def guarded() -> None:
        # Whatever comes: the next run finds a row that nobody is at any more.
        try:
            work(ended)
        except DiscogsError as error:
            log.warning("The end of %s is not in the tracking table: %s", ended.run_id, error)
        except Exception:
            log.exception("The end of %s is not in the tracking table.", ended.run_id)

    thread = threading.Thread(target=guarded, name="discogs-run-ended", daemon=True)
    thread.start()
    return thread


def _failed(ended: _Ended) -> None:
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.settings import Settings
    from discogs.tracking import reconciliation
    from discogs.tracking.model import RunIdentity

    reconciliation.record_failure(
        DiscogsPostgresHook().repository(),
        _month(ended),
        RunIdentity(ended.dag_id, ended.run_id),
        f"The run failed: {ended.msg}",
        limit=Settings.from_environment().max_attempts,
        started=ended.started,
    )


def _succeeded(ended: _Ended) -> None:
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.schema.entities import Entity
    from discogs.tracking import reconciliation
    from discogs.tracking.model import RunIdentity

    reconciliation.settle(
        DiscogsPostgresHook().repository(),
        _month(ended),
        RunIdentity(ended.dag_id, ended.run_id),
        [Entity(name) for name in ended.conf.get("entities") or Entity],
    )


def _month(ended: _Ended) -> Any:
    from discogs.load.options import resolve_month

    return resolve_month(
        partition_key=ended.partition_key,
        year_month=ended.conf.get("year_month"),
        run_after=ended.run_after,
    )
