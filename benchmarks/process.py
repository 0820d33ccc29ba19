"""Runs a step in its own process, and measures its time, processor time and peak memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
#: Seconds between two measurements of the memory of a step's processes.
_POLL_SECONDS = 0.25
#: Passes the start of its process to a step, as seconds since the epoch.
STARTED = "DISCOGS_BENCHMARK_STARTED"


class StepFailed(Exception):
    """A step ended with an error; the message has the end of its output."""


@dataclass(frozen=True)
class Measured:
    """The resources that a process took from its start to its end, including its children.

    ``peak_bytes`` is the larger of the largest process's peak, which the system records, and the
    highest measured sum over all processes.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def log(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def run(command: Sequence[str], *, cwd: Path = ROOT) -> Measured:
    """Run a command to its end.

    :raises StepFailed: when its exit code is not 0.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)])}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        environment[STARTED] = repr(time.time())
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=cwd,
            env=environment,
        )
        memory = _Memory(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _kill(process)
            raise
        finally:
            seconds = time.perf_counter() - started
            memory.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text, said = output.read(), errors.read()
    if process.returncode != 0:
        last = "\n".join((text + said).strip().splitlines()[-15:])
        raise StepFailed(f"{' '.join(command[:4])} … ended with {process.returncode}:\n{last}")
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(
        seconds, usage.ru_utime + usage.ru_stime, max(memory.highest, int(largest)), text
    )


def step(name: str, **given: Any) -> tuple[Measured, dict[str, Any]]:
    """Run one of :mod:`benchmarks.steps`; also returns its answer."""
    command = [sys.executable, "-m", "benchmarks.steps", name, json.dumps(given, default=str)]
    measured = run(command)
    answer: dict[str, Any] = json.loads(measured.output.strip().splitlines()[-1])
    return measured, answer


class _Memory:
    """Watches the memory of a process and its children, in a thread."""

    def __init__(self, pid: int) -> None:
        self.highest = 0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self.highest = max(self.highest, _memory(self._pid))


def _memory(pid: int) -> int:
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += each.memory_info().rss
    return total


def _kill(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait()
