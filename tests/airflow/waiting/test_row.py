"""The wait in the month's row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from discogs.airflow.sensors import DumpAvailableSensor
from discogs.airflow.triggers import DumpAvailableTrigger
from discogs.database.connection import Connect
from discogs.dumps.errors import SourceError
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Entity
from discogs.tracking.model import RunIdentity, Status, WaitReason
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.airflow.waiting.steps import (
    NOW,
    TaskInstance,
    context,
    deferred,
    fired,
    publish,
    sensor,
)


@pytest.fixture
def repository(target: dict[str, object], connect: Connect) -> PostgresMonthRepository:
    repository = PostgresMonthRepository(connect)
    repository.ensure(NOW)
    return repository


def resume(task: DumpAvailableSensor, left: TaskDeferred, **event: Any) -> Any:
    """Resume the task after its wait, with an event of the trigger or an error."""
    error = event.pop("error", None)
    if error is not None:
        return task.resume_execution("__fail__", {"error": error}, context())
    return task.resume_execution(
        left.method_name, {**(left.kwargs or {}), "event": event}, context()
    )


def looked(left: TaskDeferred) -> DumpAvailableTrigger:
    """The trigger of a wait, deserialized, with short pauses."""
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
    assert "To check now, clear wait_for_dump of discogs_monthly / a run" in line

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
