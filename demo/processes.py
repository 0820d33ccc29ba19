"""Starts, finds and ends processes that outlive the command that started them.

One supervisor starts them (:mod:`demo.supervisor`). It leads a session, whose id no other process
can get while a member is alive, so that all members can be found even after the supervisor has
died. No process can run without being found: the supervisor's file is locked before the supervisor
starts, the supervisor inherits the lock, and it writes its process id into the file before it
starts anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from demo import supervisor
from demo.errors import ComponentEnded, LocalAirflowFailed
from demo.supervisor import session

log = logging.getLogger(__name__)

GRACE_SECONDS = 12.0  # a task that gets SIGTERM cancels its statement and reports within this
_RECORD_SECONDS = 60.0  # until the process id is written, on a busy machine

# This process must wait for its own children, or they stay as zombies.
_started: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Ended:
    """A component that ended.

    :param code: the exit code, or minus the number of the signal that ended it.
    :param at: seconds since the epoch.
    """

    name: str
    code: int
    at: float

    @property
    def how(self) -> str:
        return f"exit code {self.code}" if self.code >= 0 else f"signal {-self.code}"


def start(
    commands: Mapping[str, Sequence[str]],
    *,
    environment: Mapping[str, str],
    run: Path,
    logs: Path,
) -> None:
    """Start components, each restarted when it ends; output is appended to ``logs/NAME.log``.

    :param commands: the command of each component, by name.
    :param run: the folder of the files by which later commands find the processes.
    :raises LocalAirflowFailed: when processes of this folder are running.
    """
    run.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    if members(run):
        raise LocalAirflowFailed(f"The processes of {run} are already running: stop them first.")
    lock = os.open(run / "supervisor", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _acquired(lock):
            raise LocalAirflowFailed(
                f"The processes of {run} are being started by another command: wait."
            )
        os.ftruncate(lock, 0)
        (run / "ended.jsonl").unlink(missing_ok=True)
        (run / "pids.json").unlink(missing_ok=True)
        (run / "components.json").write_text(json.dumps(commands))
        with (logs / "supervisor.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, supervisor.__file__, str(run), str(logs), str(lock)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=run,
                start_new_session=True,
                pass_fds=[lock],
            )
        _started[process.pid] = process
    finally:
        os.close(lock)
    if supervising(run) is None:
        path = logs / "supervisor.log"
        raise LocalAirflowFailed(f"The supervisor of the processes has ended: see {path}.")


def running(run: Path) -> dict[str, psutil.Process]:
    """The components that are alive, by name."""
    leader = _leader(run)
    if leader is None:
        return {}
    members = {process.pid: process for process in session(leader)}
    try:
        numbers = json.loads((run / "pids.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: members[number] for name, number in numbers.items() if number in members}


def members(run: Path) -> list[psutil.Process]:
    """Every process of a run folder that is alive, the supervisor included."""
    leader, first = _leader(run), supervising(run)
    found = session(leader) if leader is not None else []
    return [*found, first] if first is not None else found


def supervising(run: Path) -> psutil.Process | None:
    """The supervisor of a run folder, or None when it has ended."""
    leader = _leader(run)
    if leader is None or not _is_locked(run / "supervisor"):
        return None
    try:
        return psutil.Process(leader)
    except psutil.NoSuchProcess:
        return None


def ended(run: Path) -> list[Ended]:
    """The components that have ended since the start, in order; they were restarted."""
    try:
        lines = (run / "ended.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Ended(**json.loads(line)) for line in lines]


def stop(run: Path, grace: float = GRACE_SECONDS) -> list[str]:
    """End every process of a run folder.

    :param grace: seconds between SIGTERM and SIGKILL.
    :returns: the names of the components that were alive.
    """
    names = list(running(run))
    # Kill the supervisor first: it would restart what ends.
    if (first := supervising(run)) is not None:
        with contextlib.suppress(psutil.Error):
            first.kill()
        if (child := _started.pop(first.pid, None)) is not None:
            child.wait()
        else:
            psutil.wait_procs([first], timeout=grace)
    for process in members(run):
        with contextlib.suppress(psutil.Error):
            process.terminate()
    if not _all_gone(run, grace):
        log.debug("Killing %s", members(run))
        if not _all_gone(run, grace, kill=True):
            return names
    (run / "supervisor").unlink(missing_ok=True)
    return names


def _all_gone(run: Path, seconds: float, *, kill: bool = False) -> bool:
    """Wait until nothing of a run folder is alive."""
    deadline = time.monotonic() + seconds
    while left := members(run):
        if time.monotonic() > deadline:
            return False
        for process in left if kill else []:  # also processes started in the meantime
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)
    return True


def _leader(run: Path) -> int | None:
    """The session id of a run folder, if processes of it may be alive."""
    file = run / "supervisor"
    deadline = time.monotonic() + _RECORD_SECONDS
    while not (text := _read(file)):
        if not _is_locked(file) or time.monotonic() > deadline:
            return None
        time.sleep(0.02)  # it was just started, and will write its process id
    pid = int(text)
    if not _is_locked(file):  # the supervisor is dead; its session may be alive
        with contextlib.suppress(psutil.Error):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return None  # so is the session: another process has the id
    return pid


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _acquired(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(file: Path) -> bool:
    try:
        handle = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _acquired(handle)
    finally:
        os.close(handle)


class Watch:
    """Reports each component that ends, once: from now on, or since the start."""

    def __init__(self, run: Path, logs: Path, *, since_start: bool = False) -> None:
        self._run, self._logs = run, logs
        self._seen = 0 if since_start else len(ended(run))

    def news(self) -> list[Ended]:
        """The components that have ended since the last call."""
        found = ended(self._run)[self._seen :]
        self._seen += len(found)
        return found

    def check(self) -> None:
        """Fail if a component has ended since the last call.

        :raises ComponentEnded: with the end of its log.
        """
        for event in self.news():
            raise ComponentEnded(event.name, event.how, self._logs / f"{event.name}.log")
