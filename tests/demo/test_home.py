"""The local Airflow's folder, ports and secrets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo import stack
from demo.__main__ import main
from demo.environment import Plan, airflow_environment, inherited
from demo.errors import LocalAirflowFailed
from demo.home import PROJECT, Home

pytestmark = pytest.mark.slow


def test_the_home_is_in_the_project_by_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Home.from_environment().folder == PROJECT / ".demo"
    monkeypatch.setenv("DISCOGS_HOME", str(tmp_path))
    assert Home.from_environment().folder == tmp_path


def test_secrets_are_made_once_and_nobody_else_reads_them(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    made = home.secrets()

    assert home.secrets() == made
    assert Home(tmp_path / "other").secrets()["password"] != made["password"]
    assert (home.folder / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_two_commands_do_not_work_on_one_home(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with home.lock(), pytest.raises(LocalAirflowFailed, match="wait"), home.lock():
        pass
    with home.lock():
        pass


def test_a_port_that_is_taken_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCOGS_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert main(["up", "--port", str(port)]) == 1

    assert f"Port {port} is taken" in capsys.readouterr().err
    assert not (tmp_path / "postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_privileged_port_is_not_reported_as_taken(tmp_path: Path) -> None:
    program = "import os; from demo.stack import take_port; os.setuid(65534); take_port(80)"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"},
        capture_output=True,
        text=True,
    )

    if not result.stderr:
        pytest.skip("every program may have port 80 on this machine")
    assert "Port 80 may only be used by root" in result.stderr
    assert "taken" not in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    mounted = f"mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} -m demo demo"
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "plugins:.", "DISCOGS_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )

    if "unshare" in result.stderr or "mount:" in result.stderr:
        pytest.skip("nothing can be mounted on this machine")
    assert result.returncode == 1
    assert "No space left on device. The demo needs" in result.stderr
    assert f"2 GB in {tmp_path / 'home'}: DISCOGS_HOME" in result.stderr


def test_nothing_to_stop_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCOGS_HOME", str(tmp_path))

    assert main(["down"]) == 0
    assert "nothing was running" in capsys.readouterr().out


def environment(tmp_path: Path, **plan: object) -> dict[str, str]:
    given = Plan(**plan)  # type: ignore[arg-type]
    server = "postgresql://postgres@/{}?host=%2Ftmp%2Fx&port=5432"
    made = airflow_environment(
        Home(tmp_path),
        given,
        port=8099,
        metadata=server.format("airflow"),
        target=server.format("discogs_up"),
    )
    return {**inherited(given.mode), **made}


def test_local_addresses_go_through_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "mine.example")  # the name that curl and requests read first
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)

    made = environment(tmp_path)

    assert made["no_proxy"] == made["NO_PROXY"] == "mine.example,127.0.0.1,localhost"


@pytest.mark.parametrize(
    ("name", "same"),
    [("DISCOGS_SHARDS", False), ("AIRFLOW_CONN_DISCOGS_DUMPS", False), ("DISCOGS_HOME", True)],
)
def test_an_airflow_with_other_settings_is_not_reused(
    monkeypatch: pytest.MonkeyPatch, name: str, same: bool
) -> None:
    before = stack._known(Plan(mode="up"))

    monkeypatch.setenv(name, "2")

    assert (stack._known(Plan(mode="up")) == before) is same


def test_another_airflows_settings_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "99")
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_LOGGING", "True")
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_DUMPS", "http://mine")

    demo = environment(tmp_path, mode="demo")

    assert demo["AIRFLOW__CORE__PARALLELISM"] == "4"
    assert "AIRFLOW__LOGGING__REMOTE_LOGGING" not in demo
    assert "127.0.0.1" in demo["AIRFLOW_CONN_DISCOGS_DUMPS"]
    assert demo["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_up_goes_to_discogs_unless_a_connection_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        "https://data.discogs.com"
        in (environment(tmp_path, mode="up")["AIRFLOW_CONN_DISCOGS_DUMPS"])
    )
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_DUMPS", "http://mine")
    assert environment(tmp_path, mode="up")["AIRFLOW_CONN_DISCOGS_DUMPS"] == "http://mine"
