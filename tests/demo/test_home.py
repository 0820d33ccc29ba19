"""The local Airflow's folder, ports and secrets."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from demo import stack
from demo.__main__ import main
from demo.errors import LocalAirflowFailed
from demo.home import PROJECT, Home


def test_it_lies_in_the_project_unless_told_otherwise(
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


def test_nothing_to_stop_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCOGS_HOME", str(tmp_path))

    assert main(["down"]) == 0
    assert "nothing was running" in capsys.readouterr().out


def environment(tmp_path: Path, **plan: object) -> dict[str, str]:
    home = Home(tmp_path)
    local = stack.Stack(
        home=home,
        plan=stack.Plan(**plan),  # type: ignore[arg-type]
        port=8099,
        dsn="postgresql://postgres@/discogs_up?host=%2Ftmp%2Fx&port=5432",
    )
    return stack.airflow_environment(local, "postgresql://postgres@/airflow?host=%2Ftmp%2Fx")


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
