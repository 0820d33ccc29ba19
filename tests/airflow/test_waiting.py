"""The sensor and its trigger, on a real mirror."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from discogs.airflow.sensors import DumpAvailableSensor
from discogs.airflow.triggers import DumpAvailableTrigger, wait_after
from discogs.database.connection import Connect
from discogs.dumps.errors import (
    AddressInvalid,
    RateLimited,
    RequestRefused,
    SourceError,
    TransferFailed,
)
from discogs.sample.generator import write_months
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import RunIdentity, Status, WaitReason
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults

NOW = Month.of(dt.datetime.now(dt.timezone.utc).date())
OLD = Month(2021, 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with Mirror(folder) as mirror:
        connection = json.dumps({"conn_type": "http", "host": mirror.url})
        monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_DUMPS", connection)
        yield mirror


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


def test_a_dump_that_is_there_is_not_waited_for(folder: Path, mirror: Mirror) -> None:
    publish(folder)

    found = run(sensor())

    assert found["month"] == str(NOW)
    assert len(mirror.seen) == 1


def test_a_dump_that_is_not_there_is_waited_for_in_the_triggerer(mirror: Mirror) -> None:
    task = sensor(poll_interval=dt.timedelta(minutes=10), wait=dt.timedelta(hours=5), retries=0)

    left = deferred(task)

    assert isinstance(left.trigger, DumpAvailableTrigger)
    assert (left.trigger.year_month, left.trigger.poll_seconds) == (str(NOW), 600)
    assert left.timeout == dt.timedelta(hours=5)
    assert len(mirror.seen) == 1


def test_the_default_wait_is_below_a_day_and_the_looks_are_rare(mirror: Mirror) -> None:
    left = deferred(sensor())

    assert left.timeout is not None
    assert left.timeout < dt.timedelta(days=1)
    assert isinstance(left.trigger, DumpAvailableTrigger)
    assert left.trigger.poll_seconds >= 900


def test_a_checksum_that_is_lacking_means_that_the_dump_is_not_there(
    folder: Path, mirror: Mirror
) -> None:
    publish(folder)
    next(folder.glob("*CHECKSUM.txt")).unlink()

    deferred(sensor())


def test_a_server_that_asks_for_a_pause_gets_it(mirror: Mirror) -> None:
    mirror.add(faults.status(429, retry_after="3574"))

    left = deferred(sensor())

    assert isinstance(left.trigger, DumpAvailableTrigger)
    assert left.trigger.first_wait == 3574


@pytest.mark.parametrize("month", [OLD, NOW.plus(-1)])
def test_a_month_that_is_over_is_skipped_with_the_reason(mirror: Mirror, month: Month) -> None:
    said = f"{month} is not published.*{month} is over.*until the end of {month.plus(1)}"
    with pytest.raises(AirflowSkipException, match=said):
        run(sensor(), month)


def test_a_fault_that_may_pass_is_waited_out_also_for_an_old_month(mirror: Mirror) -> None:
    mirror.add(faults.status(503, retry_after="600"))

    deferred(sensor(), OLD)


def said(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> str:
    """What was logged: Airflow's logger writes to one or the other, by what was imported before."""
    return caplog.text + capsys.readouterr().out


def test_a_refusal_fails_the_task_and_is_one_line_of_the_log_first(
    mirror: Mirror, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.add(faults.status(400).repeated(None))

    with pytest.raises(RequestRefused) as caught:
        run(sensor())
    assert said(caplog, capsys).count(f" failed: {caught.value}") == 1


@pytest.mark.parametrize("month", [OLD, NOW])
@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_everything_is_no_dump_that_is_not_published(
    mirror: Mirror, month: Month, status: int
) -> None:
    mirror.add(faults.status(status).repeated(None))

    with pytest.raises(RequestRefused, match=f"answered {status}.*login"):
        run(sensor(), month)


def test_an_address_with_neither_listing_nor_file_is_named(mirror: Mirror) -> None:
    mirror.add(faults.status(404).repeated(None))

    with pytest.raises(AddressInvalid, match="neither a listing nor"):
        run(sensor())


def test_a_failed_trigger_fails_the_task_and_skips_nothing() -> None:
    with pytest.raises(SourceError, match=r"failed in the triggerer.*discogs_dumps"):
        sensor().resume_execution("__fail__", {"error": "Trigger failure"}, context())


def test_the_end_of_the_wait_skips_the_task() -> None:
    with pytest.raises(AirflowSkipException, match="in 20 hours"):
        sensor().resume_execution("__fail__", {"error": "Trigger timeout"}, context())


def test_a_refusal_in_the_triggerer_fails_the_task_and_skips_nothing(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"status": "error", "message": "refused: 403"}

    with pytest.raises(SourceError, match="refused: 403"):
        sensor().resume_execution("resume", {"event": event}, context())
    assert said(caplog, capsys).count(" failed: refused: 403") == 1


def test_the_trigger_fires_when_the_dump_appears(folder: Path, mirror: Mirror) -> None:
    def publish_when_asked_twice() -> None:
        while len(mirror.seen) < 2:
            time.sleep(0.02)
        publish(folder)

    later = threading.Thread(target=publish_when_asked_twice)
    later.start()

    payload = fired(trigger())

    later.join()
    assert payload["status"] == "found"
    assert [file["name"].split("_")[2] for file in payload["dump"]["files"]] == [
        "labels.xml.gz",
        "releases.xml.gz",
    ]
    assert len(mirror.seen) > 2


def test_the_trigger_outlasts_a_fault_that_passes(folder: Path, mirror: Mirror) -> None:
    publish(folder)
    mirror.add(faults.reset().repeated(2))

    assert fired(trigger())["status"] == "found"


def test_the_trigger_waits_while_an_answer_cannot_be_read(folder: Path, mirror: Mirror) -> None:
    publish(folder)
    mirror.add(faults.html().repeated(4))

    assert fired(trigger())["status"] == "found"
    assert len(mirror.seen) == 5


def test_the_trigger_does_not_wait_for_a_server_that_stays_down(mirror: Mirror) -> None:
    mirror.add(faults.status(503).repeated(None))

    payload = fired(trigger(down_seconds=0.5))

    assert payload["status"] == "error"
    assert "answered 503" in payload["message"]
    assert "hours" in payload["message"]
    assert len(mirror.seen) >= 2


def test_the_trigger_reports_a_refusal(mirror: Mirror) -> None:
    mirror.add(faults.status(400).repeated(None))

    payload = fired(trigger())

    assert payload["status"] == "error"
    assert "400" in payload["message"]


def test_the_trigger_does_not_ask_before_the_server_allows() -> None:
    assert wait_after(RateLimited("u", 429, 3574.0), 1800) == 3574
    assert wait_after(RateLimited("u", 429, None), 1800) == 1800
    assert wait_after(TransferFailed("u", "cut", 1), 1800) == 1800


def test_the_trigger_survives_a_restart_of_the_triggerer() -> None:
    path, arguments = trigger(first_wait=5.0).serialize()

    assert path == "discogs.airflow.triggers.DumpAvailableTrigger"
    assert DumpAvailableTrigger(**arguments).serialize() == (path, arguments)
    json.dumps(arguments)


# What the month's row shows of the wait.


@pytest.fixture
def repository(target: dict[str, object], connect: Connect) -> PostgresMonthRepository:
    repository = PostgresMonthRepository(connect)
    repository.ensure(NOW)
    return repository


def resume(task: DumpAvailableSensor, left: TaskDeferred, **event: Any) -> Any:
    """What the task does when its wait has ended, by an event of the trigger or by an error."""
    error = event.pop("error", None)
    if error is not None:
        return task.resume_execution("__fail__", {"error": error}, context())
    return task.resume_execution(
        left.method_name, {**(left.kwargs or {}), "event": event}, context()
    )


def looked(left: TaskDeferred) -> DumpAvailableTrigger:
    """The trigger of a wait, as the triggerer makes it, looking at once and often."""
    assert isinstance(left.trigger, DumpAvailableTrigger)
    _, arguments = left.trigger.serialize()
    return DumpAvailableTrigger(
        **{**arguments, "first_wait": 0.0, "poll_seconds": 0.05, "down_seconds": 0.5}
    )


def test_a_wait_is_in_the_months_row_from_the_first_look_to_its_end(
    repository: PostgresMonthRepository, mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    task = sensor(poll_interval=dt.timedelta(minutes=30))
    left = deferred(task)

    waiting = repository.ensure(NOW).waiting
    assert waiting is not None
    assert waiting.reason is WaitReason.NOT_PUBLISHED
    assert waiting.next_look_at - waiting.since == dt.timedelta(minutes=30)
    assert waiting.gives_up_at - waiting.since == dt.timedelta(hours=20)
    (line,) = [said for said in capsys.readouterr().out.splitlines() if "Waiting since" in said]
    assert "info" in line
    assert f"UTC: The dump of {NOW} is not published: " in line
    assert "To look now, clear wait_for_dump of discogs_monthly / a run" in line

    # The server goes down: a warning, in the row as well, and past the limit a failure.
    mirror.add(faults.status(503).repeated(None))
    payload = fired(looked(left))
    assert payload["status"] == "error"
    last = repository.ensure(NOW).waiting
    assert last is not None
    assert (last.reason, last.since) == (WaitReason.SERVER_DOWN, waiting.since)
    assert "503" in last.message
    said = capsys.readouterr().out.splitlines()[-1]
    assert "warning" in said
    assert "Waiting since" in said
    with pytest.raises(SourceError, match="503"):
        resume(task, left, **payload)
    assert repository.ensure(NOW).waiting is None


def test_a_wait_that_ends_with_the_server_down_or_nobody_looking_is_a_failure(
    repository: PostgresMonthRepository, connect: Connect, mirror: Mirror
) -> None:
    task = sensor(poll_interval=dt.timedelta(minutes=30))
    mirror.add(faults.status(503))
    with pytest.raises(SourceError, match=r"no usable answer within 20 hours: .*503"):
        resume(task, deferred(task), error="Trigger timeout")

    left = deferred(task)
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing SET waiting = jsonb_set(waiting, '{next_look_at}',"
            " to_jsonb(clock_timestamp() - interval '1 hour'))"
        )
    with pytest.raises(
        SourceError, match=r"The server has not been asked since .* is a triggerer running"
    ):
        resume(task, left, error="Trigger timeout")

    with pytest.raises(AirflowSkipException, match="Nothing was published in 20 hours"):
        resume(task, deferred(task), error="Trigger timeout")


def test_one_run_waits_and_another_of_the_month_looks_once(
    repository: PostgresMonthRepository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    deferred(sensor())
    before = repository.ensure(NOW)

    monkeypatch.setattr(TaskInstance, "at_work", ("a run",))
    with pytest.raises(
        AirflowSkipException, match=r"not published.*Another run is waiting for it.*next"
    ):
        sensor().execute(context(run_id="another"))
    assert repository.ensure(NOW) == before

    monkeypatch.setattr(TaskInstance, "at_work", ())
    with pytest.raises(TaskDeferred):
        sensor().execute(context(run_id="another"))
    waiting = repository.ensure(NOW).waiting
    assert waiting is not None
    assert waiting.run.run_id == "another"


def test_a_run_whose_month_another_run_has_claimed_or_loaded_is_skipped(
    repository: PostgresMonthRepository,
    folder: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, other = sensor(), RunIdentity("discogs_monthly", "another", "tests")
    left = deferred(task)
    publish(folder)
    found = fired(looked(left))
    repository.claim(NOW, other)
    monkeypatch.setattr(TaskInstance, "at_work", ("another",))

    with pytest.raises(AirflowSkipException, match=r"downloading in another run, .* / another"):
        resume(task, left, **found)

    names = [file["name"] for file in found["dump"]["files"]]
    repository.record_published(NOW, None, dict.fromkeys(names, "a" * 64))
    for entity in Entity:
        repository.record_entity_stats(NOW, entity, {"sha256": "a" * 64})
    for status in (Status.READY_FOR_PROCESSING, Status.PROCESSING, Status.COMPLETED):
        repository.move(NOW, status, run=other)
    with pytest.raises(AirflowSkipException, match=r"loaded by .* / another in the meantime"):
        resume(task, left, **found)

    # One that died is no reason.
    repository.claim(NOW, other)
    monkeypatch.setattr(TaskInstance, "at_work", ())
    assert resume(task, left, **found) == found["dump"]
