"""The environment of the local Airflow's processes: its settings and the DAG's connections."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from demo.home import PROJECT, Home

USER = "admin"
#: The DAGs folder of each mode.
_DAGS = {"demo": "demo/dags", "up": "dags"}
REAL_DUMPS = {
    "conn_type": "http",
    "host": "https://data.discogs.com",
    "extra": {"layout": "data.discogs.com"},
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The configuration of a local Airflow.

    :param mode: ``demo`` (generated dumps from a mirror) or ``up`` (the real addresses); each
        has its own databases in the server.
    :param port: port of the UI; 0 chooses a free one.
    :param scheduled: whether the schedule creates runs, in addition to users.
    :param environment: overrides the environment of the processes.
    """

    mode: str = "demo"
    port: int = 8080
    scheduled: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def airflow_environment(
    home: Home, plan: Plan, *, port: int, metadata: str, target: str
) -> dict[str, str]:
    """The variables that Airflow's processes have in addition to those that they inherit.

    :param port: port of the UI.
    :param metadata: DSN of Airflow's own database.
    :param target: DSN of the database that dumps are loaded into.
    """
    secrets, url = home.secrets(), f"http://127.0.0.1:{port}"
    passwords = home.folder / "passwords.json"
    if not passwords.exists():
        home.write_private("passwords.json", {USER: secrets["password"]})
    # Programs read one or the other; some prefer the lower-case one.
    direct = [os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    no_proxy = ",".join(dict.fromkeys(filter(None, [*direct, "127.0.0.1", "localhost"])))
    driver = urlsplit(metadata)._replace(scheme="postgresql+psycopg2").geturl()
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(PROJECT / "plugins"),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "AIRFLOW_HOME": str(home.folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / _DAGS[plan.mode]),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secrets["session"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt"],
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.logs / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home.logs / "parsing"),
        # Nothing listens there; the default port may be another Airflow's.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(plan.scheduled),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # A task fails if its start is not answered in time: 5 s are too short on a busy machine.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DISCOGS_STORAGE": str(home.folder / f"downloads-{plan.mode}"),
        **_connections(plan, target),
        **plan.environment,
    }


def inherited(mode: str) -> dict[str, str]:
    """The caller's environment without the settings of another Airflow.

    Its connections are kept with ``up``.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PYTHON", "PG"))
        or (mode == "up" and name.startswith("AIRFLOW_CONN_"))
    }


def _connections(plan: Plan, target: str) -> dict[str, str]:
    """The DAG's two connections as environment variables; those of the user take precedence."""
    address = urlsplit(target)
    query = {key: values[0] for key, values in parse_qs(address.query).items()}
    postgres = {
        "conn_type": "postgres",
        "host": query["host"],
        "port": int(query["port"]),
        "login": address.username,
        "schema": address.path.lstrip("/"),
    }
    dumps = REAL_DUMPS
    if plan.mode == "demo":
        dumps = {**REAL_DUMPS, "host": f"http://127.0.0.1:{free_port()}"}
    made = {
        "AIRFLOW_CONN_DISCOGS_POSTGRES": json.dumps(postgres),
        "AIRFLOW_CONN_DISCOGS_DUMPS": json.dumps(dumps),
    }
    given = inherited(plan.mode)
    return {name: given.get(name, value) for name, value in made.items()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
