"""The parent of a local Airflow's processes: it starts them, and restarts those that end.

A separate program, which :mod:`demo.processes` starts as ``supervisor.py RUN LOGS LOCK``. It leads
the session of everything that it starts, and writes its process id into the file
``RUN/supervisor``, whose lock it inherits through the descriptor LOCK and holds until it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

POLL_SECONDS = 0.2
FAST_SECONDS = 10.0  # what ends sooner is restarted after a growing pause
LONGEST_WAIT_SECONDS = 30.0
GRACE_SECONDS = 5.0


class _Component:
    """One process that is kept running; its output is appended to ``LOGS/NAME.log``."""

    def __init__(self, name: str, command: Sequence[str], logs: Path) -> None:
        self.name, self._command, self._log = name, command, logs / f"{name}.log"
        self._wait = 0.0
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=os.setpgrp,  # it may signal its whole group when it ends
            )
        self.pid = self._process.pid
        self._started, self._due = time.monotonic(), float("inf")

    def has_ended(self) -> int | None:
        """The exit code (minus the signal's number), once, when it has ended since the last call.

        This also sets when the component is restarted.
        """
        code = self._process.poll()
        if code is None or self._due < float("inf"):
            return None
        now = time.monotonic()
        fast = now - self._started < FAST_SECONDS
        self._wait = min(max(2 * self._wait, 1.0), LONGEST_WAIT_SECONDS) if fast else 0.0
        self._due = now + self._wait
        return code

    def is_due(self) -> bool:
        return time.monotonic() >= self._due


def session(leader: int) -> list[psutil.Process]:
    """The living processes of a session, without its leader."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            same = os.getsid(process.pid) == leader and process.pid != leader
            if same and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _end_orphans() -> None:
    """End processes that a component has left: they may hold a port, or run a task."""
    for kill in (False, True, True, True):  # the end of an orphan may leave its children as orphans
        members = session(os.getpid())
        known = {os.getpid(), *(process.pid for process in members)}
        orphans = []
        for process in members:
            with contextlib.suppress(psutil.Error):
                if process.ppid() not in known:
                    orphans.append(process)
                    process.kill() if kill else process.terminate()
        if not orphans:
            return
        psutil.wait_procs(orphans, timeout=GRACE_SECONDS)


def main(run: Path, logs: Path, lock: int) -> None:
    os.write(lock, str(os.getpid()).encode())
    commands = json.loads((run / "components.json").read_text())
    components = [_Component(name, command, logs) for name, command in commands.items()]
    _write_pids(run, components)
    while True:
        for component in components:
            code = component.has_ended()
            if code is not None:
                print(f"{time.strftime('%F %T')} {component.name} ended: {code}", flush=True)
                with (run / "ended.jsonl").open("a") as ended:
                    event = {"name": component.name, "code": code, "at": time.time()}
                    ended.write(json.dumps(event) + "\n")
                _end_orphans()
            if component.is_due():
                component.start()
                _write_pids(run, components)
        time.sleep(POLL_SECONDS)


def _write_pids(run: Path, components: Sequence[_Component]) -> None:
    fresh = run / "pids.new"
    fresh.write_text(json.dumps({component.name: component.pid for component in components}))
    fresh.replace(run / "pids.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
