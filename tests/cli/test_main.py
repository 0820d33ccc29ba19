from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from discogs import __version__
from discogs.cli import COMMANDS
from discogs.cli.main import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Launch = Callable[..., "subprocess.Popen[str]"]


Usage = Callable[..., tuple[int, str, str]]


@pytest.fixture
def usage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Usage:
    """Runs a command in this process: its exit code, and what it wrote to stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return code, *capsys.readouterr()

    return call


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.returncode == 0
    for name, command in COMMANDS.items():
        assert f"{name} " in result.stdout
        assert command.about in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_help(usage: Usage, name: str) -> None:
    code, shown, _ = usage(name, "--help")
    assert code == 0
    assert f"usage: python -m discogs {name}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_says_what_it_does(usage: Usage, name: str) -> None:
    entry = re.compile(r"^  (-\S.*?|[A-Z]+)(?:  +(\S.*)|\n +(\S.*))?$", re.MULTILINE)
    _, _, entries = usage(name, "--help")[1].partition("\n\n")[2].partition(":\n")
    found = {match[1]: match[2] or match[3] for match in entry.finditer(entries)}
    assert "-h, --help" in found
    assert [option for option, about in found.items() if not about] == []


def test_help_imports_nothing_that_takes_time() -> None:
    program = (
        "import sys\n"
        "from discogs.cli.main import main\n"
        "assert main(['--help']) == 0 and main(['status', '--help']) == 0\n"
        "heavy = {'psycopg', 'rich', 'requests', 'pyarrow', 'lxml', 'airflow'} & set(sys.modules)\n"
        "sys.exit(f'{heavy} imported' if heavy else 0)\n"
    )
    plugins = Path(__file__).resolve().parents[2] / "plugins"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(plugins)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").stdout == f"python -m discogs {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["nothing"], "invalid choice: 'nothing'"),
        (["migrate"], "no database: give --dsn, or set DISCOGS_DSN"),
        (["migrate", "--dsn", "host=x", "--nothing"], "--nothing"),
        (["sample", "/nowhere", "--month", "2026-13"], "'2026-13' is not a month"),
        (["sample", "/nowhere", "--month", "2026-01", "--releases", "0"], "'0' is not a whole"),
        (["mirror", "/nowhere", "--port", "70000"], "'70000' is not a whole number from 0"),
        (["mirror", "/nowhere", "--port", "x"], "'x' is not a whole number from 0 to 65535"),
        (["mirror", "/nowhere", "--port", "1", "--rate", "fast"], "'fast' is not a number above"),
        (["mirror", "/nowhere", "--port", "1", "--rate", "-1"], "'-1' is not a number above 0"),
        (["mirror", "/nowhere", "--port", "1", "--rate", "inf"], "'inf' is not a number above"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_was_wrong(
    usage: Usage, arguments: list[str], message: str
) -> None:
    code, shown, said = usage(*arguments)
    assert (code, shown) == (2, "")
    assert message in said


def test_an_error_of_the_system_is_one_line_and_an_unknown_setting_another(
    usage: Usage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCOGS_SHARD", "4")
    code, shown, said = usage("sample", "/dev/null/x", "--month", "2026-01", "--releases", "1")
    assert (code, shown) == (1, "")
    assert said == (
        "discogs: DISCOGS_SHARD has no effect: there is no such setting. Did you mean"
        " DISCOGS_SHARDS?\ndiscogs: /dev/null/x: Not a directory\n"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no more"), "no more"),
        (OSError(28, "No space left"), "No space left"),
        (psycopg.errors.InsufficientPrivilege("permission denied"), "permission denied"),
    ],
)
def test_an_error_that_a_user_can_cause_is_printed_without_a_traceback(
    usage: Usage, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(_arguments: object) -> int:
        raise error

    monkeypatch.setattr("discogs.cli.status.run", fail)
    code, shown, written = usage("status", "--dsn", "host=/nowhere")
    assert (code, shown) == (1, "")
    assert said in written
    assert written.startswith("discogs: ")
    monkeypatch.setattr("discogs.cli.status.run", lambda _arguments: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        usage("status")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dsn", "postgresql://u:hush@127.0.0.1:1/x"], "not reachable at u@127.0.0.1:1/x"),
        (["--dsn", "postgresql+psycopg2://u:hush@h/x"], "The DSN cannot be read"),
        (["--dsn", "host=/nowhere", "--schema", "No Schema"], "'No Schema': expected a schema"),
    ],
)
@pytest.mark.parametrize("name", ["migrate", "status"])
def test_a_user_sees_one_line_and_no_password(
    run: Run, name: str, arguments: list[str], message: str
) -> None:
    result = run(name, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.startswith("discogs: ")
    assert result.stderr.count("\n") == 1
    assert "hush" not in result.stderr


def test_a_reader_that_closes_the_pipe_is_no_error(launch: Launch, tmp_path: Path) -> None:
    process = launch("sample", tmp_path, "--month", "2026-01", "--releases", "1")
    assert process.stdout is not None
    process.stdout.close()  # before the first line is written
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_ends_a_running_statement_and_the_program(
    launch: Launch, database: str, number: signal.Signals, code: int, message: str
) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'"

    def until(count: int) -> None:
        deadline = time.monotonic() + 30
        while conn.execute(waiting.encode()).fetchone() != (count,):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with (
        psycopg.connect(database, autocommit=True) as conn,
        psycopg.connect(database) as holder,
    ):
        holder.execute("CREATE SCHEMA discogs")  # what the program waits for
        with launch("migrate", "--dsn", database) as process:
            try:
                until(1)
                process.send_signal(number)
                assert process.wait(10) == code
                assert process.stderr is not None
                assert process.stderr.read() == f"discogs: {message}\n"
            finally:
                process.kill()
        until(0)
        holder.rollback()
        row = conn.execute("SELECT to_regnamespace('discogs')").fetchone()
        assert row == (None,)
