"""Several runs at once: a waiting run blocks no other, and no run takes over a live one."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from demo.errors import AirflowRefused
from discogs.schema.entities import Month
from discogs.tracking.model import Status, WaitReason
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.airflow.test_mirrored_state import row_failed
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

DAG_ID = "discogs_monthly"
NOW = Month.of(dt.datetime.now(dt.timezone.utc).date())
PAST = Month(2024, 2)
LABELS: dict[str, Any] = {"entities": ["labels"]}


def started(airflow: RunningAirflow, run_id: str) -> set[str]:
    """The tasks of a run for which a process was started."""
    found = airflow.client.call(
        "GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances", params={"limit": 100}
    )
    return {each["task_id"] for each in found["task_instances"] if each["pid"] is not None}


def skipped_from(airflow: RunningAirflow, run_id: str, task_id: str) -> str:
    """The log of the task at which a run was skipped; no later task may have had a process."""
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    prepare = ["resolve_month", "migrate", "month_pending", "wait_for_dump"]
    done = set(prepare[: prepare.index(task_id)])
    states = airflow.states(run_id)
    assert {name for name, state in states.items() if state != "skipped"} == done, states
    assert started(airflow, run_id) == {*done, task_id}
    return airflow.log(run_id, task_id)


@contextlib.contextmanager
def downloading(airflow: RunningAirflow, month: Month) -> Iterator[str]:
    """A run that downloads a month until the end of the context."""
    with stalled(airflow, month) as begun:
        run_id = airflow.client.trigger(DAG_ID, partition_key=str(month), conf=LABELS)
        begun()
        yield run_id


@contextlib.contextmanager
def stalled(airflow: RunningAirflow, month: Month) -> Iterator[Callable[[], None]]:
    """Stop the next download of a month's labels on the way; waits until it has begun."""
    (labels,) = airflow.dumps.glob(f"discogs_{month.first_day:%Y%m%d}_labels.xml.gz")
    request = f"download=.*{labels.name}"
    before = airflow.mirror.count(request)
    airflow.mirror.add(faults.stall(500, 900).on(request))
    yield lambda: airflow.until(
        "the download has begun", lambda: airflow.mirror.count(request) > before
    )


def test_a_run_that_waits_holds_up_no_other_and_a_second_run_of_a_month_ends_skipped(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    airflow.start_afresh()
    waiting = client.trigger(DAG_ID, partition_key=str(NOW), conf=LABELS)
    airflow.until_deferred(waiting)
    row = airflow.month(str(NOW))
    assert (row.status, row.run) == (Status.NOT_STARTED, None)
    assert row.waiting is not None
    assert (row.waiting.reason, row.waiting.run.run_id) == (WaitReason.NOT_PUBLISHED, waiting)
    airflow.until(
        "the triggerer's look is in the row",
        lambda: airflow.month(str(NOW)).waiting.next_look_at > row.waiting.next_look_at,  # type: ignore[union-attr]
    )
    assert "Waiting since" in airflow.log(waiting, "wait_for_dump")

    # Any other month, from beginning to end; a month that was never published ends at once.
    write_months(airflow.dumps, PAST, releases=50, seed=4)
    other, never = (client.trigger(DAG_ID, partition_key=str(month), conf=LABELS)
                    for month in (PAST, PAST.plus(-1)))  # fmt: skip
    assert airflow.wait(other) == "success", airflow.states(other)
    assert f"{PAST.plus(-1)} is over" in skipped_from(airflow, never, "wait_for_dump")
    assert "is completed" in skipped_from(
        airflow, client.trigger(DAG_ID, partition_key=str(PAST), conf=LABELS), "month_pending"
    )

    # Also what is cleared.
    client.clear(DAG_ID, other, ["checks"], only_failed=False)
    assert airflow.wait(other) == "success", airflow.states(other)

    # A second run of the month that a run waits for looks once.
    second = client.trigger(DAG_ID, partition_key=str(NOW), conf=LABELS)
    assert "Another run is waiting for it" in skipped_from(airflow, second, "wait_for_dump")

    # Of a month that has not begun, or is none: refused, and no row of it is left behind.
    with pytest.raises(AirflowRefused, match="2099-01 has not begun"):
        client.trigger(DAG_ID, partition_key="2099-01")
    for wrong, said in (("2099-01", "has not begun"), ("1850-01", "is not a month")):
        run_id = client.trigger(DAG_ID, conf={"year_month": wrong})
        assert airflow.wait(run_id) == "failed"
        assert said in airflow.log(run_id, "resolve_month")
        assert airflow.tasks(run_id)["resolve_month"].try_number == 1
        assert said in airflow.webhook.wait(f"Discogs {run_id} failed")
    months = {record.month for record in PostgresMonthRepository(airflow.connect).all()}
    assert months == {NOW, PAST, PAST.plus(-1)}

    # The end of a wait is not a failed attempt.
    client.set_run_state(DAG_ID, waiting, "failed")
    row_failed(airflow, waiting, "manually set", NOW)
    assert airflow.month(str(NOW)).retry_count == 0


def test_tasks_whose_xcoms_were_deleted_find_what_they_need_or_say_what_to_clear(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client, month = airflow_stack, airflow_stack.client, PAST.plus(3)
    write_months(airflow.dumps, month, releases=50, seed=4, since=month)
    fault = airflow.fault("merge.check_staged")
    fault.write_text("made to fail")
    run_id, state = airflow.load(str(month), **LABELS)
    fault.unlink()
    assert state == "failed"
    for task_id, map_index in (("fetch_checksums", -1), ("download", 0), ("ready", -1)):
        path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        client.call("DELETE", path, params={"map_index": map_index})

    client.clear(DAG_ID, run_id, ["merge.check_staged"], only_failed=False)
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    assert airflow.month(str(month)).status is Status.COMPLETED

    mapped = ["download", "stage.labels"]
    client.clear(DAG_ID, run_id, mapped, only_failed=False, downstream=False)
    airflow.wait(run_id)  # by its last task, which stays done
    row_failed(airflow, run_id, "clear the task fetch_checksums", month)
    for task_id in mapped:
        log = airflow.log(run_id, task_id, map_index=0, try_number=2)
        assert "clear the task fetch_checksums and its downstream tasks" in log

    client.clear(DAG_ID, run_id, ["fetch_checksums"], only_failed=False)
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    assert airflow.month(str(month)).status is Status.COMPLETED
