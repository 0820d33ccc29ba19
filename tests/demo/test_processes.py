"""Processes outlive the command that started them, are restarted, found and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo import processes
from demo.errors import ComponentEnded, LocalAirflowFailed

pytestmark = pytest.mark.slow

SLEEP = "import time; time.sleep(600)"
# With a child that does not end when it is asked to, in a process group of its own.
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


def start(run: Path, **codes: str) -> None:
    processes.start(
        {name: [sys.executable, "-c", code] for name, code in codes.items()},
        environment=dict(os.environ),
        run=run,
        logs=run.parent / "logs",
    )


def until(holds: Callable[[], object], what: object = "") -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def log(run: Path, name: str) -> str:
    path = run.parent / "logs" / f"{name}.log"
    return path.read_text() if path.exists() else ""


def test_components_are_found_again_and_ended(run: Path) -> None:
    start(run, one=SLEEP, other=SLEEP)
    until(lambda: len(processes.running(run)) == 2)
    found = processes.running(run)

    assert processes.stop(run) == ["one", "other"]

    assert not any(map(alive, found.values()))
    assert processes.members(run) == []
    assert processes.stop(run) == []


def test_what_runs_is_not_started_twice(run: Path) -> None:
    start(run, one=SLEEP)

    with pytest.raises(LocalAirflowFailed, match="already running"):
        start(run, one=SLEEP)


def test_children_end_too_when_their_parents_have_been_killed(run: Path) -> None:
    start(run, one=STUBBORN)
    until(lambda: "ready" in log(run, "one"))
    everything = processes.members(run)
    assert len(everything) == 3

    supervisor = processes.supervising(run)
    assert supervisor is not None
    supervisor.kill()
    processes.running(run)["one"].kill()
    until(lambda: len(processes.members(run)) == 1)
    processes.stop(run, grace=0.5)

    assert processes.members(run) == []
    assert not any(map(alive, everything))


def alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_what_ends_is_reported_with_its_log_and_started_again(run: Path) -> None:
    start(run, one=STUBBORN, other=SLEEP)
    until(lambda: "ready" in log(run, "one"))
    watch = processes.Watch(run, run.parent / "logs")
    watch.check()
    first = processes.running(run)["one"]
    [child] = first.children()
    other = processes.running(run)["other"]

    first.send_signal(signal.SIGKILL)
    until(lambda: processes.ended(run))

    with pytest.raises(ComponentEnded, match=r"one has ended \(signal 9\)[^$]*ready"):
        watch.check()
    watch.check()  # once
    until(lambda: log(run, "one").count("ready") == 2)
    assert not alive(child)
    assert processes.running(run)["one"] != first
    assert processes.running(run)["other"] == other


def test_what_ends_at_once_is_restarted_with_growing_pauses(run: Path) -> None:
    start(run, one="print('bye')")

    until(lambda: len(processes.ended(run)) == 3)

    first, second, third = [event.at for event in processes.ended(run)]
    assert second - first >= 1
    assert third - second >= 2
    assert {event.code for event in processes.ended(run)} == {0}
    assert log(run, "one") == "bye\n" * 3


def test_another_process_with_the_same_id_is_left_alone(run: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True) as stranger:
        try:
            run.mkdir()
            (run / "supervisor").write_text(str(stranger.pid))

            assert processes.members(run) == []
            assert processes.stop(run) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_starter_that_is_killed_at_any_moment_leaves_nothing_that_is_not_found(
    run: Path,
) -> None:
    program = (
        "import sys, pathlib; from demo import processes\n"
        "run = pathlib.Path(sys.argv[1])\n"
        "print('begun', flush=True)\n"
        f"processes.start({{'one': [sys.executable, '-c', {SLEEP!r}]}},"
        " environment={}, run=run, logs=run.parent / 'logs')\n"
    )
    root = Path(processes.__file__).parents[1]
    before = marked(run)
    assert before == []
    for number in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(run)],
            env={"PYTHONPATH": f"{root}:{root / 'plugins'}"},
            stdout=subprocess.PIPE,
        ) as starter:
            assert starter.stdout is not None
            starter.stdout.readline()
            time.sleep(number * 0.004)
            starter.kill()
        processes.stop(run, grace=0.1)

        assert marked(run) == [], number


def marked(run: Path) -> list[psutil.Process]:
    """The living processes that have a run folder in their command or as their own folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            named = str(run) in " ".join(process.cmdline()) or process.cwd() == str(run)
            if named and alive(process):
                found.append(process)
    return found
