"""Runs the sensor and its trigger without Airflow's other components."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from discogs.airflow.sensors import DumpAvailableSensor
from discogs.airflow.triggers import DumpAvailableTrigger
from discogs.sample.generator import write_months
from discogs.schema.entities import Month

NOW = Month.of(dt.datetime.now(dt.timezone.utc).date())
OLD = Month(2021, 7)


def publish(folder: Path, month: Month = NOW) -> None:
    write_months(folder, month, releases=20)


def sensor(**options: Any) -> DumpAvailableSensor:
    return DumpAvailableSensor(task_id="wait_for_dump", **options)


class TaskInstance(SimpleNamespace):
    """Answers what the sensor asks Airflow: only the given runs are running."""

    task_id = "wait_for_dump"
    map_index = -1
    at_work: tuple[str, ...] = ()

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return len(set(run_ids) & set(self.at_work))

    def xcom_push(self, key: str, value: Any) -> None: ...


def context(month: Month = NOW, run_id: str = "a run") -> Any:
    dag_run = SimpleNamespace(
        dag_id="discogs_monthly",
        run_id=run_id,
        partition_key=str(month),
        run_after=None,
        start_date=None,
        conf={},
    )
    return {"dag_run": dag_run, "params": {}, "ti": TaskInstance()}


def run(task: DumpAvailableSensor, month: Month = NOW) -> Any:
    return task.execute(context(month))


def deferred(task: DumpAvailableSensor, month: Month = NOW) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        run(task, month)
    return caught.value


def fired(trigger: DumpAvailableTrigger, seconds: float = 20) -> dict[str, Any]:
    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        return None

    payload: dict[str, Any] = asyncio.run(asyncio.wait_for(first(), seconds))
    return payload


def trigger(**options: Any) -> DumpAvailableTrigger:
    given = {
        "dumps_conn_id": "discogs_dumps",
        "year_month": str(NOW),
        "entities": ["labels", "releases"],
        "poll_seconds": 0.2,
        **options,
    }
    return DumpAvailableTrigger(**given)
