"""The services of docker-compose.yaml as processes, with their commands and environments.

What only containers have is replaced: host names by ports, /opt/airflow by a folder, the image's
entrypoint by a script.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from demo import embedded
from demo.environment import free_port, inherited
from tests.conftest import PROJECT

START_SECONDS = 240.0
_ENTRYPOINT = """#!/bin/bash
case "$1" in airflow|bash|python|celery) exec "$@";; *) exec airflow "$@";; esac
"""


def until(what: str, holds: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


@dataclass
class Composed:
    """The services of a project, started as processes.

    :param services: as a compose program sees them.
    :param folder: stands for the containers' disks.
    :param env_file: the variables of .env.
    """

    services: Mapping[str, Any]
    folder: Path
    env_file: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("airflow-postgres", "discogs-postgres", "redis", "api-server", "mirror"):
            self.ports[name] = free_port()
        self.ports["health"] = free_port()
        self._make_home(self.home())
        entrypoint = self.folder / "entrypoint"
        entrypoint.write_text(_ENTRYPOINT)
        entrypoint.chmod(0o755)

    def home(self, hostname: str | None = None) -> Path:
        """The folder for /opt/airflow: containers with a host name have their own, as on separate
        machines; the others share one through volumes."""
        return self.folder / (hostname or "airflow")

    def _make_home(self, home: Path) -> None:
        for name in ("logs", "dumps", "auth", "tmp"):
            (home / name).mkdir(parents=True)
        for name in ("dags", "plugins", "include"):
            (home / name).symlink_to(PROJECT / name)

    def here(self, text: str, hostname: str | None = None) -> str:
        """A text of the file, with the containers' hosts and paths replaced by this machine's."""
        for host, port in (("airflow-postgres", 5432), ("discogs-postgres", 5432), ("redis", 6379)):
            text = text.replace(f"{host}:{port}", f"127.0.0.1:{self.ports[host]}")
        for name, port in (("api-server", 8080), ("mirror", 8000)):
            for host in (name, "localhost"):
                text = text.replace(f"http://{host}:{port}", f"http://127.0.0.1:{self.ports[name]}")
        text = text.replace("http://localhost:8974", f"http://127.0.0.1:{self.ports['health']}")
        text = text.replace('"host": "discogs-postgres", "port": 5432', self._postgres)
        text = text.replace("--host 0.0.0.0 --port 8000", f"--port {self.ports['mirror']}")
        text = text.replace("/tmp/sample", str(self.folder / "sample"))
        text = text.replace("/opt/airflow", str(self.home(hostname)))
        return re.sub(r"(?<!\w)/entrypoint", str(self.folder / "entrypoint"), text)

    @property
    def _postgres(self) -> str:
        return f'"host": "127.0.0.1", "port": {self.ports["discogs-postgres"]}'

    def environment(self, name: str, hostname: str | None = None) -> dict[str, str]:
        service = self.services[name]
        given = dict(self.env_file) if "env_file" in service else {}
        given.update({key: str(value) for key, value in (service.get("environment") or {}).items()})
        path = f"{Path(sys.executable).parent}:/usr/sbin:{os.environ.get('PATH', os.defpath)}"
        return {
            **inherited("demo"),
            **{key: self.here(value, hostname) for key, value in given.items()},
            "PATH": path,
            "AIRFLOW_HOME": str(self.home(hostname)),
            "TMPDIR": str(self.home(hostname) / "tmp"),
            "HOSTNAME": hostname or _host(),
            "PYTHONUNBUFFERED": "1",
            # In containers, the services do not share ports.
            "AIRFLOW__API__PORT": str(self.ports["api-server"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["health"]),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__API__WORKERS": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def command(self, name: str, hostname: str | None = None) -> list[str]:
        service = self.services[name]
        command = service["command"]
        words = shlex.split(command) if isinstance(command, str) else [*command]
        words = [self.here(word, hostname) for word in words]
        if "entrypoint" in service:
            return [*service["entrypoint"], *words]
        if name == "redis":
            return [
                *words,
                "--port",
                str(self.ports[name]),
                "--dir",
                str(self.folder),
                "--save",
                "",
            ]
        if name == "worker":  # the name that a container's host name gives it
            words[-1] = words[-1].replace(
                "airflow celery worker",
                f"airflow celery worker --celery-hostname celery@{hostname}",
            )
        return [str(self.folder / "entrypoint"), *words]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def start(self, name: str, hostname: str | None = None) -> None:
        """Start a service; its output goes to NAME.log, or HOSTNAME.log."""
        known = hostname or name
        if not self.home(hostname).exists():
            self._make_home(self.home(hostname))
        with (self.folder / f"{known}.log").open("ab") as log:
            self.processes[known] = subprocess.Popen(
                self.command(name, hostname),
                env=self.environment(name, hostname),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home(hostname),
                start_new_session=True,
            )

    def run(self, name: str, seconds: float = START_SECONDS) -> None:
        """Run a service that ends by itself, and wait for its end."""
        self.start(name)
        code = self.processes.pop(name).wait(seconds)
        assert code == 0, self.log(name)

    def wait_until_healthy(self, name: str, hostname: str | None = None) -> None:
        """Wait until a service's health check succeeds."""
        known = hostname or name
        kind, *test = self.services[name]["healthcheck"]["test"]
        words = ["/bin/sh", "-c", test[0]] if kind == "CMD-SHELL" else test
        if name == "redis":
            words = [words[0], "-p", str(self.ports[name]), *words[1:]]
        words = [self.here(word) for word in words]

        def healthy() -> bool:
            process = self.processes[known]
            assert process.poll() is None, self.log(known)
            environment = self.environment(name, hostname)
            return subprocess.run(words, env=environment, capture_output=True).returncode == 0

        until(f"{known} is healthy by {words}", healthy)

    def start_postgres(self, name: str) -> str:
        """Start PostgreSQL with the service's command; returns a DSN of its database."""
        service, folder = self.services[name], self.folder / name
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        folder.mkdir(mode=0o700)
        user = owner.pw_uid if owner is not None else None
        if user is not None:
            os.chown(folder, user, -1)
        variables = service["environment"]
        binaries = embedded.binaries()
        options = ["--auth=trust", f"--username={variables['POSTGRES_USER']}", "--encoding=UTF8"]
        initdb = [str(binaries / "initdb"), f"--pgdata={folder}", "--locale=C", *options]
        subprocess.run(initdb, user=user, cwd="/", capture_output=True, check=True)
        words = service.get("command") or ["postgres"]
        place = ["-D", str(folder), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(binaries / words[0]), *words[1:], *place, "-p", str(self.ports[name])],
                user=user,
                cwd="/",
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = f"postgresql://{variables['POSTGRES_USER']}@127.0.0.1:{self.ports[name]}"

        def answers() -> bool:
            assert self.processes[name].poll() is None, self.log(name)
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"{server}/postgres").close()
                return True
            return False

        until(f"{name} answers", answers, 60)
        return embedded.ensure_database(f"{server}/postgres", variables["POSTGRES_DB"])

    def members(self, known: str) -> list[psutil.Process]:
        """All processes of a service."""
        first = psutil.Process(self.processes[known].pid)
        return [first, *first.children(recursive=True)]

    def kill(self, known: str) -> None:
        """Kill all processes of a service, as a loss of power would."""
        for process in self.members(known):
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        self.processes.pop(known).wait(20)

    def stop(self) -> None:
        found: list[psutil.Process] = []
        for known in self.processes:
            with contextlib.suppress(psutil.Error):
                found += self.members(known)
        for sent in (signal.SIGINT, signal.SIGKILL):
            for process in found:
                with contextlib.suppress(psutil.Error):
                    process.send_signal(sent)
            psutil.wait_procs(found, timeout=5)
        for started in self.processes.values():
            started.wait(20)


def _host() -> str:
    """The host name of the machine, as Airflow records it for its jobs."""
    from airflow.utils.net import get_hostname

    return get_hostname()


@contextlib.contextmanager
def composed(services: Mapping[str, Any], env_file: Mapping[str, str]) -> Iterator[Composed]:
    """The services of a project. Those that a test starts are ended with it."""
    folder = Path(tempfile.mkdtemp(prefix="discogs-composed-", dir="/tmp"))
    folder.chmod(0o755)
    made = Composed(services, folder, env_file)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
