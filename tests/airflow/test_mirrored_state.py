"""The month's row agrees with Airflow, however a task, a run or the DAG ends."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from demo import processes
from discogs.schema.entities import Month
from discogs.tracking.model import Status
from tests import faults
from tests.airflow.test_clear_and_retry import trigger, undisturbed
from tests.content import difference
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

MONTH = Month(2022, 5)
DAG_ID = "discogs_monthly"
STOP_SECONDS = 120.0  # in which a task that gets SIGTERM has ended; the machine may be busy


def task_process(airflow: RunningAirflow, run_id: str, task_id: str) -> psutil.Process:
    """The process that runs the code of a task that is running, found by the id in its title."""
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances"
    found = airflow.client.call("GET", path, params={"task_id": task_id, "state": "running"})
    (ti,) = [each["id"] for each in found["task_instances"] if each["task_id"] == task_id]
    scheduler = processes.running(airflow.stack.home.run)["scheduler"]
    for process in scheduler.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if f"airflow worker -- {ti}" in " ".join(process.cmdline()):
                return process
    raise AssertionError(f"{task_id} has no process")


def stop(airflow: RunningAirflow, run_id: str, task_id: str, number: int) -> None:
    """Send a signal to a task, and wait until its process is gone."""
    process, sent = task_process(airflow, run_id, task_id), time.monotonic()
    process.send_signal(number)
    psutil.wait_procs([process], timeout=STOP_SECONDS)
    assert not process.is_running(), f"{task_id} lives {time.monotonic() - sent:.0f} s after it"


def statements(airflow: RunningAirflow) -> list[str]:
    """What the database is doing, or waiting to do, in a transaction."""
    with psycopg.connect(airflow.stack.dsn) as conn:
        rows = conn.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
            " AND xact_start IS NOT NULL AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()"
        ).fetchall()
    return [query for (query,) in rows]


@contextlib.contextmanager
def held(airflow: RunningAirflow, table: str) -> Iterator[None]:
    """Hold the labels' transaction just before its end: when it notes what it has done."""
    with trigger(airflow, table, "INSERT", "NEW.entity = 'labels'", "PERFORM pg_sleep(900)"):
        yield
        # What was ended leaves no statement behind.
        airflow.until("nothing is held", lambda: not holding(airflow))


def holding(airflow: RunningAirflow) -> bool:
    with psycopg.connect(airflow.stack.dsn) as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        ).fetchone()
    return row is not None and row[0] > 0


def row_failed(airflow: RunningAirflow, run_id: str, said: str, month: Month = MONTH) -> None:
    """Wait until the row has failed, and compare what it says."""

    def holds() -> bool:
        record = airflow.month(str(month))
        return record.status is Status.FAILED and record.run_id == run_id

    airflow.until("the row is failed", holds)
    assert said in str(airflow.month(str(month)).error_message)


def again(airflow: RunningAirflow, run_id: str, **options: bool) -> None:
    """Clear the failed tasks of a run, and wait until the month is being loaded again."""
    airflow.client.clear(DAG_ID, run_id, **options)
    airflow.until("at work", lambda: airflow.month(str(MONTH)).status.at_work)


def test_the_row_says_how_a_task_or_run_was_ended_and_the_month_is_loaded_all_the_same(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    airflow.start_afresh()
    write_months(airflow.dumps, MONTH, releases=200, seed=8)
    (releases,) = airflow.dumps.glob("*_releases.xml.gz")
    part = airflow.stack.home.folder / "downloads-up" / f"{releases.name}.part"

    # A download is stopped: what it has fetched stays.
    airflow.mirror.add(faults.stall(5_000, 300).on("download=.*releases"))
    run_id = client.trigger(DAG_ID, partition_key=str(MONTH))
    airflow.until("bytes have come", lambda: part.exists() and part.stat().st_size > 0)
    airflow.until("the others are done", lambda: downloading(airflow, run_id) == 1)
    assert airflow.month(str(MONTH)).status is Status.DOWNLOADING
    stop(airflow, run_id, "download", signal.SIGTERM)
    row_failed(airflow, run_id, "was stopped by SIGTERM")
    assert airflow.wait(run_id) == "failed"
    assert part.stat().st_size > 0

    # The run is marked as failed while a download is at work.
    airflow.mirror.add(faults.stall(5_000, 300).on("download=.*releases"))
    again(airflow, run_id)
    airflow.until("it is fetched again", lambda: downloading(airflow, run_id) == 1)
    process = task_process(airflow, run_id, "download")
    client.set_run_state(DAG_ID, run_id, "failed")
    row_failed(airflow, run_id, "manually set to `failed`")
    psutil.wait_procs([process], timeout=STOP_SECONDS)
    assert not process.is_running()
    row_failed(airflow, run_id, "manually set to `failed`")

    # What had not begun then is skipped; with the failed ones alone cleared, nothing is loaded.
    again(airflow, run_id)
    assert airflow.wait(run_id) == "success"
    row_failed(airflow, run_id, "ended as a success, but labels, artists, masters, releases")

    # Staging is stopped, while another entity's goes on.
    with held(airflow, "staged_shards"):
        again(airflow, run_id, only_failed=False)
        airflow.until("labels are staged", lambda: holding(airflow))
        assert airflow.month(str(MONTH)).status is Status.PROCESSING
        stop(airflow, run_id, "stage.labels", signal.SIGTERM)
        row_failed(airflow, run_id, "was stopped by SIGTERM")
    assert airflow.wait(run_id) == "failed"
    airflow.until("nothing is left at work", lambda: not statements(airflow))
    assert airflow.count("labels") == 0

    # A merge is stopped, killed, and out of time: each is rolled back.
    for how, said in (
        (signal.SIGTERM, "was stopped by SIGTERM"),
        (signal.SIGKILL, "merge.labels failed without an error message"),
        (None, "merge.labels: timed out after 0:00:15 (execution_timeout) while merging "),
    ):
        if how is None:
            airflow.fault("merge.labels.timeout").write_text("15")
        with held(airflow, "entity_loads"):
            again(airflow, run_id)
            airflow.until("labels are merged", lambda: holding(airflow))
            if how is not None:
                stop(airflow, run_id, "merge.labels", how)
            row_failed(airflow, run_id, said)
            assert airflow.count("labels") == 0
        assert airflow.wait(run_id) == "failed"
        airflow.until("nothing is left at work", lambda: not statements(airflow))
        assert airflow.count("labels") == 0
    airflow.fault("merge.labels.timeout").unlink()

    # The run is marked as a success while a merge is at work: the month is not loaded.
    with held(airflow, "entity_loads"):
        again(airflow, run_id)
        airflow.until("labels are merged", lambda: holding(airflow))
        process = task_process(airflow, run_id, "merge.labels")
        client.set_run_state(DAG_ID, run_id, "success")
        row_failed(airflow, run_id, "ended as a success, but labels, artists, masters, releases")
        psutil.wait_procs([process], timeout=STOP_SECONDS)
        assert not process.is_running()
    airflow.until("nothing is left at work", lambda: not statements(airflow))

    client.clear(DAG_ID, run_id, ["merge.labels"], only_failed=False)
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    record = airflow.month(str(MONTH))
    assert (record.status, record.error_message) == (Status.COMPLETED, None)
    assert record.retry_count == 8
    assert difference(airflow.stack.dsn, undisturbed(airflow, MONTH)) == []


def downloading(airflow: RunningAirflow, run_id: str) -> int:
    """How many downloads are under way, when none waits to be."""
    states = [task.state for task in airflow.tasks(run_id).values() if task.task_id == "download"]
    if len(states) < 4 or not set(states) <= {"running", "success", "failed"}:
        return 0
    return states.count("running")


def test_a_wait_in_the_triggerer_is_ended_from_the_page(airflow_stack: RunningAirflow) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    month = Month.of(dt.datetime.now(dt.timezone.utc).date())
    run_id = client.trigger(DAG_ID, partition_key=str(month), conf={"entities": ["labels"]})
    airflow.until_deferred(run_id)
    assert airflow.month(str(month)).status is Status.NOT_STARTED

    client.set_task_state(DAG_ID, run_id, "wait_for_dump", "failed")

    assert airflow.wait(run_id) == "failed"
    row_failed(airflow, run_id, "wait_for_dump failed", month)

    client.clear(DAG_ID, run_id)
    airflow.until_deferred(run_id)
    write_months(airflow.dumps, month, releases=100, seed=9)
    client.wait_for_task(DAG_ID, run_id, "fetch_checksums", ["success"])
    assert airflow.month(str(month)).status.at_work
    client.set_run_state(DAG_ID, run_id, "failed")


def test_the_dag_is_deleted_in_mid_run_and_the_next_run_says_so(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    month = MONTH.plus(1)
    write_months(airflow.dumps, month, releases=200, seed=8, since=MONTH)
    airflow.mirror.add(faults.stall(5_000, 4).on("download=.*releases"))
    run_id = client.trigger(DAG_ID, partition_key=str(month))
    airflow.until("the others are done", lambda: downloading(airflow, run_id) == 1)
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances"
    pool = client.call("GET", path, params={"task_id": "download"})["task_instances"][0]["pool"]
    slots = client.call("GET", f"pools/{pool}")["slots"]
    set_slots(airflow, pool, 0)
    try:
        # Airflow deletes no DAG of which a task is running.
        airflow.until(
            "nothing is running",
            lambda: "running" not in airflow.states(run_id).values(),
        )
        airflow.delete_dag()
    finally:
        set_slots(airflow, pool, slots)
    assert airflow.month(str(month)).status is Status.DOWNLOADING

    airflow.until("the DAG is read again", lambda: client.has_dag(DAG_ID))
    client.pause(DAG_ID, False)
    next_run, state = airflow.load(str(MONTH))

    assert state == "success", airflow.states(next_run)
    row_failed(airflow, run_id, "ended without reporting a result", month)


def set_slots(airflow: RunningAirflow, pool: str, slots: int) -> None:
    body = {"pool": pool, "slots": slots, "include_deferred": False}
    airflow.client.call("PATCH", f"pools/{pool}", json=body, params={"update_mask": ["slots"]})
