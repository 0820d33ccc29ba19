"""The trigger of the sensor, with a real mirror."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from discogs.airflow.triggers import DumpAvailableTrigger, wait_after
from discogs.dumps.errors import RateLimited, TransferFailed
from discogs.sample.mirror import Mirror
from tests import faults
from tests.airflow.waiting.steps import fired, publish, trigger


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
