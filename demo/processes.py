"""Processes that outlive the command that started them, and how they are found again.

Each is the leader of a session of its own, whose number no other process can get while a
member lives. So whatever a service has started is found by its session, also after the service
itself has died; the leader's start time tells whether the number was given to a stranger since.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

log = logging.getLogger(__name__)

GRACE_SECONDS = 12.0  # a task that is told to stop cancels its statement and reports within this

# Children of this very process must be waited for by it, or they stay as zombies.
_started: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Service:
    """A process that was started here, as its file in the run folder tells of it."""

    name: str
    pid: int
    created: float  # seconds since the epoch, by the operating system's account

    def leader(self) -> psutil.Process | None:
        """The service's first process, or None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            return process if alive and abs(process.create_time() - self.created) < 1.0 else None
        except psutil.Error:
            return None

    def members(self) -> list[psutil.Process]:
        """Every living process of the service's session."""
        if self.leader() is None and psutil.pid_exists(self.pid) and not self._is_zombie():
            return []  # the number belongs to somebody else now
        return list(_session(self.pid))

    def _is_zombie(self) -> bool:
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


def _session(number: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def start(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], run: Path, logs: Path
) -> Service:
    """Start a service; its output is appended to ``logs/NAME.log``.

    :param run: the folder of the files by which :func:`services` finds it again.
    """
    run.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=run,
            start_new_session=True,
        )
    _started[process.pid] = process
    try:
        created = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        created = time.time()
    service = Service(name, process.pid, created)
    record = run / f"{name}.json"
    record.with_suffix(".new").write_text(json.dumps(asdict(service)))
    record.with_suffix(".new").replace(record)
    return service


def services(run: Path) -> list[Service]:
    """What was started and not yet stopped, alive or not."""
    found = []
    for record in sorted(run.glob("*.json")):
        with contextlib.suppress(ValueError, TypeError):
            found.append(Service(**json.loads(record.read_text())))
    return found


def stop(run: Path, grace: float = GRACE_SECONDS) -> list[str]:
    """End every service of a run folder and all that they started.

    :param grace: seconds from asking (SIGTERM) to ending (SIGKILL).
    :returns: the names of the services that were alive.
    """
    known = services(run)
    alive = {service.name: service.members() for service in known}
    everything = [process for members in alive.values() for process in members]
    for process in everything:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    psutil.wait_procs(everything, timeout=grace)
    for service in known:
        # Asked anew: a member may have started another one meanwhile.
        left = service.members()
        for process in left:
            log.debug("Killing %s of %s", process.pid, service.name)
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=grace)
        if (child := _started.pop(service.pid, None)) is not None:
            child.wait()
        (run / f"{service.name}.json").unlink(missing_ok=True)
    return [name for name, members in alive.items() if members]
