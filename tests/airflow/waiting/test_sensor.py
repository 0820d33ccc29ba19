"""The sensor, with a real mirror."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow.triggers import DumpAvailableTrigger
from discogs.dumps.errors import AddressInvalid, RequestRefused, SourceError
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from tests import faults
from tests.airflow.waiting.steps import NOW, OLD, context, deferred, publish, run, sensor


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
