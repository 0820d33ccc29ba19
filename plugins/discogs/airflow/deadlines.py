"""From when a run's deadline is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseDeadlineReference  # type: ignore[attr-defined]

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session


class RunQueued(BaseDeadlineReference):  # type: ignore[misc]
    """When the run was queued for the first time: clearing it does not put its deadline off.

    Stands in for Airflow's own ``DAGRUN_QUEUED_AT``: in 3.3.0 to 3.3.2 a run that has one cannot
    be cleared before its deadline has passed; the server answers with status 500
    (https://github.com/apache/airflow/issues/70368).
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def _evaluate_with(
        self, *, session: Session, dag_id: str, run_id: str, **_: Any
    ) -> dt.datetime | None:
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        return session.scalar(
            select(DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        )
