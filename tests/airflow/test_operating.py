"""What docs/operating.md says: its commands as they stand there, and what they do."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from demo.errors import AirflowRefused
from demo.home import PROJECT
from demo.stack import environment_of
from discogs.schema.entities import Month
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.airflow.test_clear_and_retry import undisturbed
from tests.content import difference
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

DAG_ID = "discogs_monthly"
MONTHS = [Month(2026, 1), Month(2026, 2), Month(2026, 3)]
NEVER_PUBLISHED = Month(2025, 12)
FAILING = Month(2026, 4)
SAMPLE: dict[str, Any] = {"releases": 150, "seed": 6, "since": MONTHS[0]}


def documented_commands() -> list[str]:
    text = (PROJECT / "docs" / "operating.md").read_text()
    found = re.search(r"# Operating\n+```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return [line for line in found[1].splitlines() if line and not line.startswith("#")]


# Each is run by a test below; one more there needs one more here.
BACKFILL, BACKWARDS, AGAIN, CLEAR, STATUS = documented_commands()


def run(airflow: RunningAirflow, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the documentation, with the test's database and Python."""
    command = command.replace("postgresql://user@host/database", f"'{airflow.stack.dsn}'")
    command = command.replace("python ", f"{sys.executable} ")
    return subprocess.run(
        command,
        shell=True,
        cwd=PROJECT,
        env=environment_of(airflow.stack.home),
        capture_output=True,
        text=True,
    )


def backfilled(airflow: RunningAirflow) -> dict[str, dict[str, Any]]:
    """Wait until no run is left to do; the latest one of each month."""
    airflow.until(
        "the backfill is done",
        lambda: not airflow.client.runs(DAG_ID, ["queued", "running"]),
    )
    # Airflow looks every half minute whether a backfill is over, and runs one at a time.
    airflow.until(
        "Airflow has seen that it is",
        lambda: all(
            each["completed_at"]
            for each in airflow.client.call("GET", f"backfills?dag_id={DAG_ID}")["backfills"]
        ),
    )
    runs = [run for run in airflow.client.runs(DAG_ID) if run["run_type"] == "backfill"]
    runs.sort(key=lambda run: str(run["start_date"]))
    return {run["partition_key"]: run for run in runs}


def publish(airflow: RunningAirflow) -> None:
    """An empty database, and the files of all months."""
    airflow.start_afresh()
    write_months(airflow.dumps, MONTHS[0], months=len(MONTHS), releases=150, seed=6)


def failures(airflow: RunningAirflow) -> list[str | None]:
    """What the rows say, for the reader of a test that fails."""
    return [record.error_message for record in PostgresMonthRepository(airflow.connect).all()]


def test_a_backfill_creates_one_run_per_month_and_skips_a_month_without_a_dump(
    airflow_stack: RunningAirflow,
) -> None:
    airflow = airflow_stack
    publish(airflow)
    before = {run["dag_run_id"] for run in airflow.client.runs(DAG_ID)}

    done = run(airflow, BACKFILL)

    assert done.returncode == 0, done.stderr
    runs = backfilled(airflow)
    assert list(runs) == [str(NEVER_PUBLISHED), *map(str, MONTHS)]  # as they were started
    assert len({run["dag_run_id"] for run in airflow.client.runs(DAG_ID)} - before) == 4
    assert {run["state"] for run in runs.values()} == {"success"}, failures(airflow)
    for month in MONTHS:
        record = airflow.month(str(month))
        assert (record.status, record.retry_count) == (Status.COMPLETED, 0)
        assert record.run_id == runs[str(month)]["dag_run_id"]
    assert difference(airflow.stack.dsn, undisturbed(airflow, *MONTHS)) == []

    never = runs[str(NEVER_PUBLISHED)]["dag_run_id"]
    states = airflow.states(never)
    done_tasks = {name for name, state in states.items() if state == "success"}
    assert done_tasks == {"resolve_month", "migrate", "month_pending"}
    assert set(states.values()) == {"success", "skipped"}
    assert "2025-12 is over" in airflow.log(never, "wait_for_dump")
    assert airflow.month(str(NEVER_PUBLISHED)).status is Status.NOT_STARTED


@pytest.mark.full
def test_months_are_loaded_backwards_with_the_same_end(airflow_stack: RunningAirflow) -> None:
    airflow = airflow_stack
    publish(airflow)
    months = MONTHS[:2]
    in_order = undisturbed(airflow, *months)

    done = run(airflow, BACKWARDS)

    assert done.returncode == 0, done.stderr
    runs = backfilled(airflow)
    assert {run["state"] for run in runs.values()} == {"success"}, failures(airflow)
    first, second = (airflow.month(str(month)).processing_completed_at for month in months)
    assert first is not None
    assert second is not None
    assert second < first
    assert difference(airflow.stack.dsn, in_order) == []


def test_a_completed_month_is_loaded_again_when_that_is_asked_for_or_its_dump_is_new(
    airflow_stack: RunningAirflow,
) -> None:
    airflow = airflow_stack
    month = MONTHS[1]
    airflow.start_afresh()
    airflow.ensure_loaded(month, **SAMPLE)
    before = airflow.month(str(month))

    # With force.
    assert run(airflow, AGAIN).returncode == 0
    airflow.until("it runs", lambda: airflow.month(str(month)).run_id != before.run_id)
    run_id = airflow.month(str(month)).run_id
    assert run_id is not None
    assert airflow.wait(run_id) == "success", airflow.states(run_id)
    states = airflow.states(run_id)
    assert (states["merge.labels"], states["merge.artists"]) == ("success", "skipped")
    assert airflow.month(str(month)).status is Status.COMPLETED

    # Published again: only the changed file is fetched.
    (labels,) = airflow.dumps.glob(f"discogs_{month.first_day:%Y%m%d}_labels.xml.gz")
    (listed,) = airflow.dumps.glob(f"discogs_{month.first_day:%Y%m%d}_CHECKSUM.txt")
    old = hashlib.sha256(labels.read_bytes()).hexdigest()
    with gzip.open(labels) as opened:
        xml = opened.read()
    labels.write_bytes(
        gzip.compress(re.sub(rb"<name>([^<]+)</name>", rb"<name>\1 (new)</name>", xml, count=1))
    )
    new = hashlib.sha256(labels.read_bytes()).hexdigest()
    listed.write_text(listed.read_text().replace(old, new))
    fetched = airflow.mirror.count(r"download=.*xml")

    run_id, state = airflow.load(str(month))

    assert state == "success", airflow.states(run_id)
    assert airflow.mirror.count(r"download=.*xml") == fetched + 1
    record = airflow.month(str(month))
    assert record.processing_stats["labels"]["updated"] == 1
    assert record.processing_stats["labels"]["sha256"] == new
    assert airflow.states(run_id)["merge.releases"] == "skipped"


def test_a_month_that_failed_too_often_is_not_loaded_until_it_is_cleared(
    airflow_stack: RunningAirflow,
) -> None:
    airflow = airflow_stack
    airflow.start_afresh()
    write_months(airflow.dumps, FAILING, **SAMPLE)
    airflow.mirror.add(faults.status(400).on("download=.*labels"))
    failing, state = airflow.load(str(FAILING))
    assert state == "failed"
    airflow.webhook.wait(f"Discogs {FAILING} failed")  # the run's alerts were sent
    repository = PostgresMonthRepository(airflow.connect)
    for number in range(4):
        other = RunIdentity(DAG_ID, f"an earlier day's run {number}")
        repository.move(FAILING, Status.FAILED, run=other, error_message="no luck")
    last = RunIdentity(DAG_ID, failing)
    repository.move(FAILING, Status.DOWNLOADING, run=last)
    repository.move(FAILING, Status.FAILED, run=last, error_message="no luck")
    before = airflow.month(str(FAILING))
    assert before.retry_count == 6

    run_id, state = airflow.load(str(FAILING))

    assert state == "failed"
    assert airflow.states(run_id)["month_pending"] == "failed"
    assert airflow.month(str(FAILING)) == before
    log = airflow.log(run_id, "month_pending")
    assert "has failed 6 times, the limit is 5" in log
    assert "trigger the month with force, or clear its last run" in log

    status = run(airflow, STATUS)
    assert status.returncode == 1
    assert "2026-04 failed: no luck" in status.stderr

    airflow.client.set_run_state(DAG_ID, run_id, "success")  # so that it is not cleared too
    cleared = run(airflow, CLEAR)
    assert cleared.returncode == 0, cleared.stderr
    airflow.until("it runs", lambda: airflow.month(str(FAILING)).status is not Status.FAILED)
    assert airflow.wait(failing) == "success", airflow.states(failing)
    record = airflow.month(str(FAILING))
    assert (record.status, record.run_id) == (Status.COMPLETED, failing)


@pytest.mark.parametrize(
    "conf",
    [
        {"year_month": "2026-7"},
        {"entities": ["songs"]},
        {"entities": []},
        {"entities": ["labels", "labels"]},
        {"shards": 0},
        {"shards": 65},
        {"shards": "many"},
        {"keep_files": "yes"},
        {"allow_shrink": 1},
        {"force": "true"},
    ],
    ids=str,
)
def test_the_trigger_form_refuses_a_wrong_value(
    airflow_stack: RunningAirflow, conf: dict[str, object]
) -> None:
    with pytest.raises(AirflowRefused) as refused:
        airflow_stack.client.trigger(DAG_ID, partition_key=None, conf=conf)

    assert refused.value.status == 400
    assert next(iter(conf)) in str(refused.value)


def test_an_invalid_partition_key_is_refused(airflow_stack: RunningAirflow) -> None:
    for wrong in ("2026-7", "2026-13", "july"):
        with pytest.raises(AirflowRefused, match="YYYY-MM") as refused:
            airflow_stack.client.trigger(DAG_ID, partition_key=wrong)
        assert 400 <= refused.value.status < 500


def test_every_parameter_of_the_form_is_described(airflow_stack: RunningAirflow) -> None:
    params = airflow_stack.client.call("GET", f"dags/{DAG_ID}/details")["params"]

    assert set(params) == {
        "year_month", "entities", "shards", "keep_files", "allow_shrink", "filter", "force",
    }  # fmt: skip
    for name, param in params.items():
        assert param["description"], name
        assert param["schema"]["title"], name
