"""Runs operators one by one, without a scheduler, on a real PostgreSQL and a real mirror."""

from __future__ import annotations

import datetime as dt
import os
from types import SimpleNamespace
from typing import Any

from discogs.airflow.operators.base import DiscogsOperator
from discogs.airflow.operators.exporting import (
    BeginExportOperator,
    PublishExportOperator,
    WriteExportOperator,
)
from discogs.airflow.operators.files import (
    ChecksumOperator,
    DownloadOperator,
    FetchChecksumsOperator,
    ReadyOperator,
)
from discogs.airflow.operators.finishing import CompleteOperator
from discogs.airflow.operators.processing import (
    ChecksOperator,
    CheckStagedOperator,
    MergeOperator,
    StageOperator,
)
from discogs.schema.entities import Month

MONTH = Month(2026, 5)
STARTED = dt.datetime(2026, 5, 2, tzinfo=dt.timezone.utc)
ENTITIES = ["labels", "artists", "masters", "releases"]


class TaskInstance(SimpleNamespace):
    """Answers what the operators ask Airflow about a task instance."""

    run_states: dict[str, str] = {}  # noqa: RUF012

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(self.run_states.get(run_id) in states for run_id in run_ids)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed = {**getattr(self, "pushed", {}), key: value}

    def xcom_pull(self, task_ids: str) -> Any:
        assert task_ids == "fetch_checksums"
        return self.files


def context(run_id: str = "a run", *, files: Any = None, **params: Any) -> Any:
    """The context that Airflow passes to a task.

    :param files: what the run's task ``fetch_checksums`` returned.
    :param params: the parameters that the run was triggered with.
    """
    run = SimpleNamespace(
        dag_id="discogs_monthly",
        run_id=run_id,
        partition_key=str(MONTH),
        run_after=STARTED,
        start_date=STARTED,
        conf=params,
    )
    ti = TaskInstance(task_id="a_task", map_index=-1, rendered_map_index=None, files=files)
    task = SimpleNamespace(dag_id="discogs_monthly", execution_timeout=None)
    return {"dag_run": run, "params": params, "ti": ti, "task": task}


def run(operator: DiscogsOperator, given: Any | None = None) -> Any:
    return operator.execute(given if given is not None else context())


def fetched(**params: Any) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = run(FetchChecksumsOperator(task_id="t"), context(**params))
    return files


def load(**params: Any) -> dict[str, Any]:
    """Run all steps from the claim to the report."""
    files = fetched(**params)
    given = context(files=files, **params)
    for file in files:
        downloaded = run(DownloadOperator(task_id="t", file=file), given)
        run(ChecksumOperator(task_id="t", file=downloaded), given)
    shards = run(ReadyOperator(task_id="t"), given)
    for entity in params.get("entities", ENTITIES):
        for shard in shards:
            run(StageOperator(task_id="t", entity=entity, **shard), given)
    run(CheckStagedOperator(task_id="t"), given)
    for entity in params.get("entities", ENTITIES):
        run(MergeOperator(task_id="t", entity=entity), given)
    if os.environ.get("DISCOGS_EXPORT"):
        for part in run(BeginExportOperator(task_id="t"), given):
            run(WriteExportOperator(task_id="t", **part), given)
        run(PublishExportOperator(task_id="t"), given)
    run(ChecksOperator(task_id="t"), given)
    report: dict[str, Any] = run(CompleteOperator(task_id="t"), given)
    return report
