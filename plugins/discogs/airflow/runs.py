"""A DAG run: its month, its options and its name in messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from discogs.airflow import installation
from discogs.errors import DiscogsError
from discogs.load.options import RunOptions, resolve_month
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking.model import RunIdentity

DAG_ID = "discogs_monthly"


@dataclass(frozen=True)
class Run:
    """A run of the DAG.

    :param started: when it started, or restarted after it was cleared; None before that.
    :param conf: the configuration that it was triggered with.
    """

    dag_id: str
    run_id: str
    partition_key: str | None
    run_after: dt.datetime
    started: dt.datetime | None
    conf: Mapping[str, Any]

    @classmethod
    def of(cls, dag_run: Any) -> Run:
        """Copy what is needed of Airflow's object, whose database session may soon be closed."""
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
        """As the tracking rows name it."""
        return RunIdentity(self.dag_id, self.run_id, installation.known())

    @property
    def month(self) -> Month:
        """The month that the run is for.

        :raises InvalidMonth: when its key or its parameter is not a month.
        :raises MonthMismatch: when they are different months.
        :raises MonthAhead: when it has not begun.
        """
        return resolve_month(
            partition_key=self.partition_key,
            year_month=self.conf.get("year_month"),
            run_after=self.run_after,
        )

    @property
    def refusal(self) -> str | None:
        """Why the run has no month, if it has none."""
        try:
            self.month  # noqa: B018
        except DiscogsError as error:
            return str(error)
        return None


def run_options(context: Any, settings: Settings) -> RunOptions:
    """The options of a task's run, from its partition key and its parameters.

    :param context: the task's context.
    :raises InvalidMonth: when the key or the parameter is not a month.
    :raises MonthMismatch: when they are different months.
    """
    params, chosen = context["params"], set(context["params"].get("entities") or Entity)
    return RunOptions(
        month=Run.of(context["dag_run"]).month,
        entities=tuple(entity for entity in Entity if entity in chosen),
        shards=params.get("shards") or settings.shards,
        keep_files=params.get("keep_files", False),
        allow_shrink=params.get("allow_shrink", False),
        force=params.get("force", False),
        filter=params.get("filter"),
    )


def task_name(ti: Any) -> str:
    """The name of a task instance in messages, such as ``download [releases]``."""
    if ti.map_index is not None and ti.map_index >= 0:
        return f"{ti.task_id} [{getattr(ti, 'rendered_map_index', None) or ti.map_index}]"
    return str(ti.task_id)
