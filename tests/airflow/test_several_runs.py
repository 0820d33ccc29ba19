"""Several runs at once: what waits holds nobody up, and nobody takes what is alive."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.errors import AirflowRefused
from demo.stack import environment_of
from discogs.schema.entities import Month
from discogs.tracking.model import Status, WaitReason
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.airflow.test_mirrored_state import row_failed
from tests.conftest import PROJECT
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
    """What a run says that was skipped at a task, and at all that come after it, without a process
    for any of those."""
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    prepare = ["resolve_month", "migrate", "month_pending", "wait_for_dump"]
    done = set(prepare[: prepare.index(task_id)])
    states = airflow.states(run_id)
    assert {name for name, state in states.items() if state != "skipped"} == done, states
    assert started(airflow, run_id) == {*done, task_id}
    return airflow.log(run_id, task_id)


@contextlib.contextmanager
def downloading(airflow: RunningAirflow, month: Month) -> Iterator[str]:
    """A run of a month that is at work as long as this lasts."""
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

    # Another of the month that is waited for looks once.
    second = client.trigger(DAG_ID, partition_key=str(NOW), conf=LABELS)
    assert "Another run waits for it" in skipped_from(airflow, second, "wait_for_dump")

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

    # Nothing was tried: no failed attempt.
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
        assert "clear the task fetch_checksums, and what follows it" in log

    client.clear(DAG_ID, run_id, ["fetch_checksums"], only_failed=False)
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    assert airflow.month(str(month)).status is Status.COMPLETED


def second_airflow(airflow: RunningAirflow, home: Path) -> dict[str, str]:
    """The environment of another Airflow, with a database of its own and the same target."""
    environment = {
        **environment_of(airflow.stack.home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": "dags",
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(PROJECT / "dags")},
                }
            ]
        ),
        "DISCOGS_STORAGE": str(home / "dumps"),
    }
    for name in ("DISCOGS_ALERTS", "DISCOGS_TEST_FAULTS"):
        environment.pop(name, None)
    for arguments in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run(["airflow", *arguments], env=environment, check=True, capture_output=True)
    return environment


def test_a_second_airflow_leaves_a_month_at_work_alone_and_takes_it_when_its_run_is_dead(
    airflow_stack: RunningAirflow, tmp_path: Path
) -> None:
    airflow = airflow_stack
    airflow.start_afresh()
    write_months(airflow.dumps, PAST, months=2, releases=50, seed=4)
    theirs = PAST.plus(1)
    environment = second_airflow(airflow, tmp_path)

    def test_run(month: Month) -> subprocess.Popen[str]:
        conf = json.dumps({"year_month": str(month), **LABELS})
        return subprocess.Popen(
            ["airflow", "dags", "test", DAG_ID, "--conf", conf],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    with downloading(airflow, PAST) as run_id:
        before = airflow.month(str(PAST))
        said, _ = test_run(PAST).communicate()
        assert f"{PAST} is downloading in another run, {DAG_ID} / {run_id}" in said, said[-3000:]
        after = airflow.month(str(PAST))
        assert after.replace(alive_until=None) == before.replace(alive_until=None)
        assert airflow.client.run(DAG_ID, run_id)["state"] == "running"

    # The other way round: the second one's run is at work, and dies with its machine.
    with stalled(airflow, theirs) as begun:
        process = test_run(theirs)
    try:
        begun()
        theirs_at_work = airflow.month(str(theirs))
        assert theirs_at_work.airflow not in (None, airflow.month(str(PAST)).airflow)
        ours = airflow.client.trigger(DAG_ID, partition_key=str(theirs), conf=LABELS)
        assert "in another run" in skipped_from(airflow, ours, "month_pending")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    ours = airflow.client.trigger(DAG_ID, partition_key=str(theirs), conf=LABELS)
    assert "in another run" in skipped_from(airflow, ours, "month_pending")
    # A quarter of an hour later.
    airflow.execute(
        "UPDATE discogs_data_processing SET alive_until = alive_until - interval '15 min'"
        f" WHERE year_month = '{theirs}'"
    )
    ours, state = airflow.load(str(theirs), **LABELS)
    assert state == "success", airflow.states(ours)
    assert airflow.month(str(theirs)).status is Status.COMPLETED
    assert "now failed" in airflow.log(ours, "month_pending")
