"""The local Airflow: its environment, its processes, from nothing to healthy and back."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from demo import embedded, processes
from demo.client import AirflowClient
from demo.errors import LocalAirflowFailed
from demo.home import PROJECT, Home

DAG_ID = "discogs_monthly"
USER = "admin"
REAL_DUMPS = {
    "conn_type": "http",
    "host": "https://data.discogs.com",
    "extra": {"layout": "data.discogs.com"},
}
_COMPONENTS = {
    "api-server": ["api-server"],
    # Nobody asks for logs over HTTP: all processes write into, and read from, one folder.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_START_SECONDS = 240.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a local Airflow is for.

    :param mode: ``demo`` (generated dumps from a mirror) or ``up`` (the real addresses); each
        has databases of its own in the one server.
    :param port: where the page is; 0 takes a free port.
    :param ticks: whether the schedule makes runs, or only a user does.
    :param environment: added to the processes' environment, and winning over it.
    """

    mode: str = "demo"
    port: int = 8080
    ticks: bool = False
    parallelism: int = 4
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A local Airflow that runs."""

    home: Home
    plan: Plan
    port: int
    dsn: str
    """The target database."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> AirflowClient:
        return AirflowClient(self.url, USER, self.home.secrets()["password"])


def start(home: Home, plan: Plan, say: Say = lambda _text: None) -> Stack:
    """Bring a local Airflow up, or leave it as it is when it runs already and is the same.

    :param say: told what is being waited for.
    :raises LocalAirflowFailed: when a process ends or nothing answers in time; its log is named.
    """
    found = _running(home, plan)
    if found is not None:
        say(f"Airflow is up already, at {found.url}")
        return found
    if processes.stop(home.run):
        say("stopped the Airflow that ran here before")
    port = _port(plan.port)

    say("starting PostgreSQL 18")
    server = embedded.start(home.postgres)
    metadata = embedded.ensure_database(server, f"airflow_{plan.mode}")
    stack = Stack(
        home=home,
        plan=plan,
        port=port,
        dsn=embedded.ensure_database(server, f"discogs_{plan.mode}"),
    )
    environment = airflow_environment(stack, metadata)
    # The mirror answers while Airflow's own database is being made.
    if plan.mode == "demo":
        _start_mirror(home, environment)
    say("preparing Airflow's database")
    _migrate(home, environment)
    say("starting the api-server, scheduler, dag-processor and triggerer")
    for name, arguments in _COMPONENTS.items():
        processes.start(
            name,
            [sys.executable, "-m", "airflow", *arguments],
            environment=environment,
            run=home.run,
            logs=home.logs,
        )
    state = {"port": port, "plan": _known(plan), "code": _code()}
    home.write_private("stack.json", state)
    _wait_until_healthy(stack)
    return stack


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
    """What still runs of a home's services."""
    alive = [service.name for service in processes.services(home.run) if service.members()]
    return [*alive, *(["postgres"] if embedded.find(home.postgres) else [])]


def _running(home: Home, plan: Plan) -> Stack | None:
    """The stack that runs, when it is whole, of this plan and of today's code."""
    try:
        state = json.loads((home.folder / "stack.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    known = processes.services(home.run)
    names = {service.name for service in known if service.leader() is not None}
    wanted = {*_COMPONENTS, *(["mirror"] if plan.mode == "demo" else [])}
    server = embedded.find(home.postgres)
    if server is None or not wanted <= names:
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
    return {**asdict(plan), "environment": dict(plan.environment)}


def _code() -> str:
    """A digest of what the processes have imported: they do not notice that it changes."""
    digest = hashlib.sha256(sys.executable.encode())
    for folder in ("plugins", "dags", "include"):
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix in {".py", ".sql"}:
                digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _port(wanted: int) -> int:
    if wanted == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            raise LocalAirflowFailed(
                f"Port {wanted} is taken by another program: choose one, such as PORT={wanted + 1}."
            ) from None
    return wanted


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def airflow_environment(stack: Stack, metadata: str) -> dict[str, str]:
    """The environment of every process of the stack.

    :param metadata: DSN of Airflow's own database.
    """
    home, secrets = stack.home, stack.home.secrets()
    passwords = home.folder / "passwords.json"
    if not passwords.exists():
        home.write_private("passwords.json", {USER: secrets["password"]})
    # Another Airflow's settings, of the shell that this was called from, are not meant here.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PYTHON", "PG"))
        or (stack.plan.mode == "up" and name.startswith("AIRFLOW_CONN_"))
    }
    local = "127.0.0.1,localhost"
    driver = urlsplit(metadata)._replace(scheme="postgresql+psycopg2").geturl()
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(PROJECT / "plugins"),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": f"{os.environ['NO_PROXY']},{local}" if os.environ.get("NO_PROXY") else local,
        "AIRFLOW_HOME": str(home.folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(stack.plan.parallelism),
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(stack.port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": stack.url,
        "AIRFLOW__API__SECRET_KEY": secrets["session"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt"],
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.logs / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home.logs / "parsing"),
        # Nothing listens there; the default port may be another Airflow's.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(stack.plan.ticks),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DISCOGS_STORAGE": str(home.folder / f"downloads-{stack.plan.mode}"),
        **_connections(stack, inherited),
        **stack.plan.environment,
    }


def _connections(stack: Stack, inherited: Mapping[str, str]) -> dict[str, str]:
    """The two connections of the DAG, as environment variables; a user's own ones win."""
    target = urlsplit(stack.dsn)
    query = {key: values[0] for key, values in parse_qs(target.query).items()}
    postgres = {
        "conn_type": "postgres",
        "host": query["host"],
        "port": int(query["port"]),
        "login": target.username,
        "schema": target.path.lstrip("/"),
    }
    dumps = REAL_DUMPS
    if stack.plan.mode == "demo":
        dumps = {**REAL_DUMPS, "host": f"http://127.0.0.1:{free_port()}"}
    made = {
        "AIRFLOW_CONN_DISCOGS_POSTGRES": json.dumps(postgres),
        "AIRFLOW_CONN_DISCOGS_DUMPS": json.dumps(dumps),
    }
    return {name: inherited.get(name, value) for name, value in made.items()}


def _start_mirror(home: Home, environment: Mapping[str, str]) -> None:
    home.dumps.mkdir(parents=True, exist_ok=True)
    port = urlsplit(json.loads(environment["AIRFLOW_CONN_DISCOGS_DUMPS"])["host"]).port
    processes.start(
        "mirror",
        [sys.executable, "-m", "discogs", "mirror", str(home.dumps), "--port", str(port)],
        environment=environment,
        run=home.run,
        logs=home.logs,
    )


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
    """Wait until every part answers and the DAG is there."""
    client, missing = stack.client(), ["everything"]
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for service in processes.services(stack.home.run):
            if service.leader() is None:
                log = stack.home.logs / f"{service.name}.log"
                raise LocalAirflowFailed(f"Airflow's {service.name} has ended: see {log}.")
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
