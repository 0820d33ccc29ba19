"""A second DAG in the same Airflow, with its own database and schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from demo import embedded
from discogs.database.connection import connector
from discogs.schema.entities import Month
from discogs.tracking.model import FileState, MonthRecord, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.airflow.test_alerts_and_metrics import events
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

DAG_ID = "discogs_second"
GOOD, BROKEN, STOPPED, LONG = Month(2021, 3), Month(2021, 5), Month(2021, 7), Month(2021, 9)


def test_everything_about_a_run_stays_with_the_target_of_its_dag(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    second = connector(embedded.with_database(airflow.stack.dsn, "discogs_second"), "music")
    rows = PostgresMonthRepository(second)
    airflow.until("both DAGs are read", lambda: client.has_dag(DAG_ID))
    client.pause(DAG_ID, False)
    for month in (GOOD, BROKEN, STOPPED, LONG):
        write_months(airflow.dumps, month, releases=60, seed=5)
    (labels,) = airflow.dumps.glob(f"discogs_{BROKEN.first_day:%Y%m%d}_labels.xml.gz")
    labels.write_bytes(labels.read_bytes() + b"not what CHECKSUM lists")

    def row(month: Month, status: Status) -> MonthRecord:
        def found() -> MonthRecord | None:
            record = rows.get(month)
            return record if record is not None and record.status is status else None

        record: MonthRecord = airflow.until(f"{month} is {status}", found)
        return record

    # A run that is triggered with the form's Month alone.
    run_id = client.trigger(DAG_ID, conf={"year_month": str(GOOD)})
    assert client.wait(DAG_ID, run_id) == "success", airflow.situation()
    assert row(GOOD, Status.COMPLETED).run_id == run_id
    run = client.run(DAG_ID, run_id)
    assert run["partition_key"] == str(GOOD)
    note = str(run["note"])
    assert note.startswith(f"**Discogs {GOOD}**: loaded in ")
    assert "\n- releases: 60 read, 60 inserted" in note
    assert client.xcom(DAG_ID, run_id, "complete", key="summary") in note
    emitted = events(airflow, run_id)
    event = emitted["discogs_releases.discogs_second_postgres.music"]
    assert event["uri"] == "postgres://discogs_second_postgres:5432/discogs/music/releases"
    assert (event["extra"]["inserted"], event["extra"]["run_id"]) == (60, run_id)
    assert event["extra"]["merge_seconds"] > 0
    text = airflow.webhook.wait(f"Discogs {GOOD} is loaded")
    assert f"/dags/{DAG_ID}/runs/" in text

    # One that fails: its file is not what CHECKSUM lists.
    run_id = client.trigger(DAG_ID, conf={"year_month": str(BROKEN)})
    assert client.wait(DAG_ID, run_id) == "failed"
    failed = row(BROKEN, Status.FAILED)
    said = str(failed.error_message)
    assert said.startswith("download [labels]: ")
    text = airflow.webhook.wait(f"Discogs {BROKEN} failed")
    assert said[:60] in text
    (file,) = [each for each in rows.files(BROKEN) if each.file_name == labels.name]
    assert (file.state, file.attempts) == (FileState.FAILED, 3)
    assert str(file.error_message) in said
    run = client.run(DAG_ID, run_id)
    assert str(run["note"]).startswith(f"**Discogs {BROKEN}**: failed. {said[:60]}")
    assert run["partition_key"] == str(BROKEN)

    # A run that is marked as failed while it runs. Its mapped task has its name from the start.
    airflow.mirror.add(faults.stall(1_000, 120).on("download=.*releases"))
    run_id = client.trigger(DAG_ID, partition_key=str(STOPPED))

    def named() -> Any:
        tasks = client.task_states(DAG_ID, run_id)
        return [t for t in tasks if t.name == "download [releases]" and t.state == "running"]

    airflow.until("the releases come", named)
    client.set_run_state(DAG_ID, run_id, "failed")
    stopped = row(STOPPED, Status.FAILED)
    assert (stopped.run_id, stopped.dag_id) == (run_id, DAG_ID)
    airflow.until(
        "no file comes any more",
        lambda: FileState.DOWNLOADING not in {each.state for each in rows.files(STOPPED)},
    )
    assert f"**Discogs {STOPPED}**: failed." in str(client.run(DAG_ID, run_id)["note"])

    # One that takes longer than its DAG allows.
    client.pause("discogs_short", False)
    airflow.mirror.add(faults.stall(1_000, 120).on("download=.*releases"))
    run_id = client.trigger("discogs_short", conf={"year_month": str(LONG)})
    assert client.wait("discogs_short", run_id) == "failed"
    late = str(row(LONG, Status.FAILED).error_message)
    assert re.match(r"The run timed out after 0:00:25 \(dagrun_timeout\) in \w+", late), late
    assert late in str(client.run("discogs_short", run_id)["note"])

    # The first target has seen nothing of it.
    with airflow.connect() as conn:
        found = conn.execute("SELECT to_regclass('discogs_data_processing') IS NOT NULL").fetchone()
        tables = found is not None and found[0]
    if tables:
        known = {record.month for record in PostgresMonthRepository(airflow.connect).all()}
        assert known.isdisjoint({GOOD, BROKEN, STOPPED, LONG})
