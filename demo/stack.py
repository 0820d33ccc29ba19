"""Starts and stops a local Airflow."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from demo import embedded, processes
from demo.client import AirflowClient
from demo.environment import USER, Plan, airflow_environment, free_port, inherited
from demo.errors import LocalAirflowFailed
from demo.home import PROJECT, Home

DAG_ID = "discogs_monthly"
_COMPONENTS = {
    "api-server": ["api-server"],
    # No log servers: all processes write logs to one folder, and read them there.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_START_SECONDS = 600.0  # on a busy machine; a process that ends is noticed at once

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running local Airflow."""

    home: Home
    plan: Plan
    port: int
    dsn: str
    """The target database."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def watch(self, *, since_start: bool = False) -> processes.Watch:
        """Reports components that end, from now on or since they were started."""
        return processes.Watch(self.home.run, self.home.logs, since_start=since_start)

    def client(self, on_poll: Callable[[], None] | None = None) -> AirflowClient:
        """A client for the user of the stack.

        :param on_poll: called at every poll while the client waits.
        """
        return AirflowClient(self.url, USER, self.home.secrets()["password"], on_poll=on_poll)


def start(home: Home, plan: Plan, say: Say = lambda _text: None) -> Stack:
    """Start a local Airflow, unless it is running already with the same plan and code.

    :param say: called with progress messages.
    :raises LocalAirflowFailed: when a process ends or nothing answers in time.
    """
    found = _running(home, plan)
    if found is not None:
        say(f"Airflow is already running at {found.url}")
        return found
    if processes.stop(home.run):
        say("stopped the Airflow that ran here before")
    port = take_port(plan.port)

    say("starting PostgreSQL 18")
    server = embedded.start(home.postgres)
    metadata = embedded.ensure_database(server, f"airflow_{plan.mode}")
    target = embedded.ensure_database(server, f"discogs_{plan.mode}")
    made = airflow_environment(home, plan, port=port, metadata=metadata, target=target)
    home.write_private("environment.json", made)
    environment = {**inherited(plan.mode), **made}
    say("preparing Airflow's database")
    _migrate(home, environment)
    say("starting the api-server, scheduler, dag-processor and triggerer")
    home.dumps.mkdir(parents=True, exist_ok=True)
    processes.start(
        _commands(home, plan, environment), environment=environment, run=home.run, logs=home.logs
    )
    state = {"port": port, "plan": _known(plan), "code": _code()}
    home.write_private("stack.json", state)
    stack = Stack(home=home, plan=plan, port=port, dsn=target)
    _wait_until_healthy(stack)
    return stack


def environment_of(home: Home) -> dict[str, str]:
    """The environment of a home's processes, for another process.

    :raises LocalAirflowFailed: when nothing runs there.
    """
    try:
        state = json.loads((home.folder / "stack.json").read_text())
        made: dict[str, str] = json.loads((home.folder / "environment.json").read_text())
    except FileNotFoundError:
        raise LocalAirflowFailed(
            "The local Airflow is not running: start it with make demo or make up."
        ) from None
    return {**inherited(state["plan"]["mode"]), **made}


def run_airflow(home: Home, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by one of Airflow's commands, such as ``dags list``, for a home.

    :raises LocalAirflowFailed: when nothing runs there.
    """
    command = [sys.executable, "-m", "airflow", *arguments]
    os.execve(sys.executable, command, environment_of(home))


def stop(home: Home) -> list[str]:
    """Stop what :func:`start` started in a home, and nothing else.

    :returns: the names of what was running.
    """
    stopped = processes.stop(home.run)
    if embedded.stop(home.postgres):
        stopped.append("postgres")
    (home.folder / "stack.json").unlink(missing_ok=True)
    return stopped


def left(home: Home) -> list[str]:
    """The services of a home that are still running."""
    alive = [f"process {process.pid}" for process in processes.members(home.run)]
    return [*alive, *(["postgres"] if embedded.find(home.postgres) else [])]


def _running(home: Home, plan: Plan) -> Stack | None:
    """The running stack, if it is healthy and has this plan and the present code."""
    try:
        state = json.loads((home.folder / "stack.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    server = embedded.find(home.postgres)
    if server is None or processes.supervising(home.run) is None:
        return None
    if state.get("plan") != json.loads(json.dumps(_known(plan))) or state.get("code") != _code():
        return None
    if plan.port not in (0, state["port"]):
        return None
    stack = Stack(
        home=home,
        plan=plan,
        port=state["port"],
        dsn=embedded.with_database(server, f"discogs_{plan.mode}"),
    )
    return stack if not stack.client().unhealthy() else None


def _known(plan: Plan) -> dict[str, Any]:
    """A stack's plan as JSON types, with a digest of the user's settings and connections."""
    settings = sorted(
        (name, value)
        for name, value in inherited(plan.mode).items()
        if name.startswith(("DISCOGS_", "AIRFLOW_CONN_")) and name != "DISCOGS_HOME"
    )
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    return {**asdict(plan), "environment": dict(plan.environment), "settings": digest}


def _code() -> str:
    """A digest of the code of the processes, which must be restarted when it changes."""
    digest = hashlib.sha256(sys.executable.encode())
    for folder in ("plugins", "dags", "include"):
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".wasm"}:
                digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def take_port(wanted: int) -> int:
    """The port for the UI.

    :param wanted: 0 for any free one.
    :raises LocalAirflowFailed: when it cannot be used.
    """
    if wanted == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise LocalAirflowFailed(_refused(wanted, error)) from None
    return wanted


def _refused(port: int, error: OSError) -> str:
    """Why a port cannot be used, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program: choose one, such as PORT={port + 1}."
    if error.errno == errno.EACCES:
        return (
            f"Port {port} may only be used by root (permission denied):"
            " choose one above 1023, such as PORT=8080."
        )
    return f"Port {port} cannot be used: {error.strerror}. Choose another, such as PORT=8080."


def _commands(home: Home, plan: Plan, environment: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """The command of each process of the stack by its name."""
    commands: dict[str, Sequence[str]] = {
        name: [sys.executable, "-m", "airflow", *arguments]
        for name, arguments in _COMPONENTS.items()
    }
    if plan.mode == "demo":
        port = urlsplit(json.loads(environment["AIRFLOW_CONN_DISCOGS_DUMPS"])["host"]).port
        mirror = ["-m", "discogs", "mirror", str(home.dumps), "--port", str(port)]
        commands["mirror"] = [sys.executable, *mirror]
    return commands


def _migrate(home: Home, environment: Mapping[str, str]) -> None:
    home.logs.mkdir(parents=True, exist_ok=True)
    path = home.logs / "migrate.log"
    with path.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise LocalAirflowFailed(f"Airflow's database could not be prepared: see {path}.")


def _wait_until_healthy(stack: Stack) -> None:
    """Wait until every component answers and the DAG is parsed."""
    watch, deadline = stack.watch(since_start=True), time.monotonic() + _START_SECONDS
    client, missing = stack.client(watch.check), ["everything"]
    while time.monotonic() < deadline:
        watch.check()
        missing = client.unhealthy()
        if not missing:
            if client.has_dag(DAG_ID):
                return
            missing = [f"the DAG {DAG_ID}", *client.import_errors()]
        time.sleep(0.3)
    raise LocalAirflowFailed(
        f"After {_START_SECONDS:.0f} s Airflow still lacks {', '.join(missing)}:"
        f" see the logs in {stack.home.logs}."
    )
