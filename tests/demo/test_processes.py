"""Services that outlive their starter are found again and ended, all of them and no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo import processes
from demo.processes import Service

# A service with a child that does not end when it is asked to, in a process group of its own.
STUBBORN = """
import os, signal, subprocess, sys, time
child = "import os, signal, time; os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN)"
subprocess.Popen([sys.executable, "-c", child + "; print('ready', flush=True); time.sleep(600)"])
time.sleep(600)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "run"
    processes.stop(tmp_path / "run", grace=0.1)


def start(run: Path, code: str, name: str = "service") -> Service:
    return processes.start(
        name,
        [sys.executable, "-c", code],
        environment=dict(os.environ),
        run=run,
        logs=run.parent / "logs",
    )


def wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_a_service_is_found_again_and_ended(run: Path) -> None:
    started = start(run, "import time; time.sleep(600)")

    [service] = processes.services(run)
    assert service == started
    assert service.leader() is not None
    assert processes.stop(run) == ["service"]
    assert not psutil.pid_exists(started.pid)
    assert processes.services(run) == []


def test_children_end_too_when_their_parent_has_been_killed(run: Path) -> None:
    service = start(run, STUBBORN)
    wait_for(run.parent / "logs" / "service.log", "ready")
    assert len(service.members()) == 2

    os.kill(service.pid, 9)
    time.sleep(0.1)
    assert service.leader() is None
    assert processes.stop(run, grace=0.5) == ["service"]

    assert service.members() == []


def test_a_stranger_that_got_the_number_is_left_alone(run: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        run.mkdir()
        record = {"name": "service", "pid": stranger.pid, "created": time.time() - 10_000}
        (run / "service.json").write_text(json.dumps(record))

        assert processes.stop(run) == []
        assert stranger.poll() is None
        assert processes.services(run) == []
    finally:
        stranger.kill()
        stranger.wait()


def test_what_has_ended_by_itself_is_not_told_as_stopped(run: Path) -> None:
    service = start(run, "print('bye')")
    deadline = time.monotonic() + 10
    while service.leader() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert processes.stop(run) == []
    assert (run.parent / "logs" / "service.log").read_text() == "bye\n"


def test_a_damaged_record_is_passed_over(run: Path) -> None:
    run.mkdir()
    (run / "service.json").write_text("{")

    assert processes.stop(run) == []
