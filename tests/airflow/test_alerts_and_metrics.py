"""Alerts, assets, metrics and links on a running Airflow."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from demo import processes
from demo.stack import environment_of
from discogs.schema.entities import Month
from discogs.tracking.model import Status
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

MONTH = Month(2025, 3)
ENTITIES = ["labels", "artists", "masters", "releases"]
DAG_ID, EXAMPLE = "discogs_monthly", "discogs_changes"


@pytest.fixture(scope="module", autouse=True)
def afresh(airflow_stack: RunningAirflow) -> None:
    airflow_stack.start_afresh()
    airflow_stack.client.pause(EXAMPLE, False)


def events(airflow: RunningAirflow, run_id: str) -> dict[str, Any]:
    """The asset events of a run, by the asset's name."""
    found = airflow.client.call("GET", "assets/events", params={"source_run_id": run_id})
    return {event["name"]: event for event in found["asset_events"]}


@contextlib.contextmanager
def scheduled(airflow: RunningAirflow) -> Iterator[None]:
    """Run a second scheduler that creates scheduled runs, unlike the session's own."""
    home = airflow.stack.home
    command = [sys.executable, "-m", "airflow", "scheduler", "--skip-serve-logs"]
    airflow.client.pause(DAG_ID, True)
    try:
        processes.start(
            {"second-scheduler": command},
            environment={**environment_of(home), "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True"},
            run=home.folder / "second",
            logs=home.logs,
        )
        yield
    finally:
        processes.stop(home.folder / "second")
        airflow.client.pause(DAG_ID, False)


def example_run(airflow: RunningAirflow, month: Month) -> str:
    """The run of the example DAG that a month's events have started, when it is done."""

    def look() -> str | None:
        runs = airflow.client.runs(EXAMPLE)
        return next((r["dag_run_id"] for r in runs if r["partition_key"] == str(month)), None)

    run_id = str(airflow.until("the example's run", look))
    assert airflow.client.wait(EXAMPLE, run_id) == "success"
    return run_id


def test_a_loaded_month_makes_an_alert_asset_events_and_metrics(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    following = MONTH.plus(1)
    write_months(airflow.dumps, MONTH, months=2, releases=150, seed=8)

    first, state = airflow.load(str(MONTH), entities=["labels"])
    assert state == "success", airflow.states(first)
    run_id, state = airflow.load(str(following))
    assert state == "success", airflow.states(run_id)

    # People: the report, once.
    text = airflow.webhook.wait(f"Discogs {following} is loaded")
    assert f"{client.url}/dags/discogs_monthly/runs/{run_id.partition('__')[0]}" in text
    stats = airflow.month(str(following)).processing_stats
    for entity in ENTITIES:
        line = next(line for line in text.splitlines() if line.startswith(f"{entity} "))
        assert f" {stats[entity]['read']:,} " in line

    # Other DAGs: an event an entity, with the month and its counts; the example starts on them.
    emitted = events(airflow, run_id)
    assert set(emitted) == {f"discogs_{entity}" for entity in ENTITIES}
    for entity in ENTITIES:
        event = emitted[f"discogs_{entity}"]
        assert event["uri"] == f"postgres://discogs_postgres:5432/discogs/discogs/{entity}"
        assert event["partition_key"] == event["extra"]["year_month"] == str(following)
        assert event["extra"]["updated"] == stats[entity]["updated"]
    with scheduled(airflow):
        started = example_run(airflow, following)
    with airflow.connect() as conn:
        changes = conn.execute(
            "SELECT entity, change, count(*)::int FROM entity_changes WHERE year_month = %s"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            [str(following)],
        ).fetchall()
    listed = client.xcom(EXAMPLE, started, "list_changes")
    assert [(row["entity"], row["change"], row["records"]) for row in listed] == changes
    assert changes

    # Metrics.
    for entity in ENTITIES:
        values = airflow.statsd.values
        read = values(f"airflow.discogs.stage.{entity}.read")
        assert read[-1] == stats[entity]["read"]
        assert values(f"airflow.discogs.merge.{entity}.updated")[-1] == stats[entity]["updated"]
        for name in (
            f"download.{entity}.bytes",
            f"download.{entity}.seconds",
            f"download.{entity}.bytes_per_second",
            f"stage.{entity}.seconds",
            f"stage.{entity}.copy_seconds",
            f"stage.{entity}.copied_bytes",
            f"stage.{entity}.records_per_second",
            f"merge.{entity}.seconds",
        ):
            assert values(f"airflow.discogs.{name}")[-1] > 0, name
    for name in ("disk.used_bytes", "disk.free_bytes", "month.completed", "month.seconds"):
        assert airflow.statsd.values(f"airflow.discogs.{name}")[-1] > 0, name

    # Links, from a mapped task and from one that is not.
    year = f"{airflow.mirror.url}/?prefix=data%2F{following.year}%2F"
    for task_id, index in (("download", 0), ("fetch_checksums", -1), ("wait_for_dump", -1)):
        path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        links = client.call("GET", path, params={"map_index": index})["extra_links"]
        assert links == {"Dump listing": year}, task_id


def test_a_run_emits_events_of_what_it_has_loaded_alone(airflow_stack: RunningAirflow) -> None:
    airflow, month = airflow_stack, MONTH.plus(3)
    write_months(airflow.dumps, month, releases=150, seed=8, since=MONTH)

    (first, one), (again, other) = (airflow.load(str(month), entities=["labels"]) for _ in range(2))

    assert (one, other) == ("success", "success")
    assert set(events(airflow, first)) == {"discogs_labels"}
    assert events(airflow, again) == {}
    loaded = [text for text in airflow.webhook.texts if f"Discogs {month} is loaded" in text]
    assert len(loaded) == 1


def test_failures_make_alerts_and_a_receiver_that_is_down_changes_nothing(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client, month = airflow_stack, airflow_stack.client, MONTH.plus(2)
    write_months(airflow.dumps, month, releases=150, seed=8, since=MONTH)
    broken = airflow.dumps / f"discogs_{month.first_day:%Y%m%d}_labels.xml.gz"
    broken.write_bytes(broken.read_bytes()[:-9] + bytes(9))

    run_id, state = airflow.load(str(month), entities=["labels"])
    assert state == "failed"
    text = airflow.webhook.wait(f"Discogs {month} failed (attempt 1 of 5)")
    assert f"download [labels]: {broken.name}" in text
    sent = next(each for each in airflow.webhook.received if each.text == text)
    assert sent.path == "/services/T0/B0/verysecret"

    airflow.execute(
        f"UPDATE discogs_data_processing SET retry_count = 4 WHERE year_month = '{month}'"
    )
    client.clear(DAG_ID, run_id)
    assert airflow.wait(run_id) == "failed"
    text = airflow.webhook.wait(f"Discogs {month} has failed 5 times")
    assert "no longer tries" in text
    assert broken.name in text
    assert airflow.statsd.values("airflow.discogs.month.failed") != []
    assert set(airflow.statsd.values("airflow.discogs.download.labels.failed")) == {1}

    airflow.webhook.close()
    try:
        _, state = airflow.load(str(month), year_month="2020-01")  # two months: fails at once
        assert state == "failed"
        parsing = airflow.stack.home.logs / "parsing"
        said = "No alert was sent: connection discogs_alerts: ConnectionError"
        airflow.until(
            "it is logged", lambda: any(said in log.read_text() for log in parsing.rglob("*.log"))
        )
    finally:
        airflow.webhook.open()
    assert airflow.month(str(month)).status is Status.FAILED
    logs = [path for path in airflow.stack.home.logs.rglob("*") if path.is_file()]
    assert [path for path in logs if "verysecret" in path.read_text(errors="replace")] == []


def test_a_late_dump_makes_an_alert_when_a_run_has_ended_without_it(
    airflow_stack: RunningAirflow,
) -> None:
    airflow, client = airflow_stack, airflow_stack.client
    today = dt.datetime.now(dt.timezone.utc).date()
    late = Month.of(today) if today.day > 1 else Month.of(today).plus(-1)

    run_id = client.trigger(DAG_ID, partition_key=str(late))
    if today.day > 1:  # it waits, and would until tomorrow
        client.wait_for_task(DAG_ID, run_id, "wait_for_dump", ["deferred"])
        client.set_task_state(DAG_ID, run_id, "wait_for_dump", "skipped")

    assert airflow.wait(run_id) == "success"
    text = airflow.webhook.wait(f"Discogs {late} was due by", "is not_started")
    assert "this run did not find its dump" in text
