"""``make demo`` on an unusual machine: it loads both months, and its printed commands work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from demo import processes, stack
from demo.home import PROJECT, Home

pytestmark = pytest.mark.airflow

README = PROJECT / "README.md"


@pytest.fixture
def home() -> Iterator[Home]:
    """The test's own home; its processes are stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="discogs-demo-", dir="/tmp"))
    folder.chmod(0o755)
    home = Home(folder)
    yield home
    stack.stop(home)
    shutil.rmtree(folder)


def environment(home: Home, **more: str) -> dict[str, str]:
    """That of a shell whose user has a proxy, which does not reach this machine's own addresses."""
    dead_proxy = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DISCOGS_HOME": str(home.folder),
        "no_proxy": "mine.example",
        **dead_proxy,
        **more,
    }


def demo(home: Home, command: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", command],
        cwd=PROJECT,
        env=environment(home, PYTHONPATH="plugins:.", PORT="0", COLUMNS="200", **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end_the_scheduler_once(home: Home) -> None:
    """Kill the scheduler as soon as it runs a task."""
    while "scheduler" not in processes.running(home.run):
        time.sleep(0.1)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not any((home.logs / "tasks").rglob("*.log")):
        time.sleep(0.1)
    processes.running(home.run)["scheduler"].kill()


def test_two_months_are_loaded_though_the_scheduler_dies_and_what_is_printed_works(
    home: Home,
) -> None:
    killer = threading.Thread(target=end_the_scheduler_once, args=[home], daemon=True)
    killer.start()
    with demo(home, "demo") as running:
        said, _ = running.communicate()

    assert running.returncode == 0, said
    assert "scheduler has ended (signal 9) and is restarted: see " in said
    login = re.search(r"^Login:    admin / (\S+)$", said, re.MULTILINE)
    assert login is not None
    assert login[1] == home.secrets()["password"]
    database = re.search(r"^Database: (postgresql://\S+)$", said, re.MULTILINE)
    assert database is not None
    assert re.search(r"^│ labels +│ +[\d,]+ +│ +\d+ ", said, re.MULTILINE), said

    readme = re.search(r"^```\n(\d{4}-\d\d: completed.*?)\n…$", README.read_text(), re.M | re.S)
    assert readme is not None
    assert [line for line in without_times(readme[1]) if line not in without_times(said)] == []

    # Run each printed command in a shell.
    # The exit code is 1 once the current month, which the demo does not load, is late.
    months = re.findall(r"20\d\d-\d\d  completed", pasted(home, said, "Status", codes=(0, 1)))
    assert len(months) == 2
    assert "releases" in pasted(home, said, "psql", r"-c '\dt discogs.*'")
    assert "discogs_monthly" in pasted(home, said, "Commands")

    stop = re.search(r"^State: +\S+; (.*) stops it$", said, re.MULTILINE)
    assert stop is not None
    assert stop[1] == f"DISCOGS_HOME={home.folder} make down"
    with demo(home, "down") as ending:
        said, _ = ending.communicate()
    assert ending.returncode == 0, said
    assert "stopped: api-server, scheduler, dag-processor, triggerer, mirror, postgres" in said
    assert "scheduler had ended 1 time" in said


def without_times(text: str) -> list[str]:
    """The lines of a report without what differs between runs: dates, durations and rates."""
    text = re.sub(r"\d{4}-\d\d(-\d\d)?", "DATE", text)
    text = re.sub(r"(\d+ min )?[\d.]+ s\b( +[\d,]+)?", "TIME", text)
    return [" ".join(line.split()) for line in text.splitlines()]


def pasted(home: Home, said: str, name: str, more: str = "", codes: Collection[int] = (0,)) -> str:
    """What a command that the demo printed says in a shell of the project's folder."""
    found = re.search(rf"^{name}: +(.*?)(?:, and .*)?$", said, re.MULTILINE)
    assert found is not None, said
    result = subprocess.run(
        f"{found[1]} {more}",
        shell=True,
        cwd=PROJECT,
        env={name: value for name, value in environment(home).items() if name != "DISCOGS_HOME"},
        capture_output=True,
        text=True,
    )
    assert result.returncode in codes, result.stdout + result.stderr
    return result.stdout
