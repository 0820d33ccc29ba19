from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from demo import embedded
from demo.errors import EmbeddedServerFailed

pytestmark = pytest.mark.slow

SETTINGS = {"fsync": "off", "application_name": "it's"}


@pytest.fixture
def folder() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="discogs-pg-", dir="/tmp"))
    yield home / "data"
    embedded.stop(home / "data")
    shutil.rmtree(home)


def scalar(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as conn:
        cursor = conn.execute(query.encode())
        if cursor.description is None:
            return None
        row = cursor.fetchone()
    assert row is not None
    return row[0]


def process(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))


def test_a_server_starts_is_found_and_stops_and_its_data_stay(folder: Path) -> None:
    assert embedded.find(folder) is None
    assert not embedded.stop(folder)
    dsn = embedded.start(folder, settings=SETTINGS)
    assert scalar(dsn, "SHOW application_name") == "it's"
    assert str(scalar(dsn, "SHOW server_version")).startswith("18.")
    assert scalar(dsn, "SHOW listen_addresses") == ""
    started = process(folder)
    assert embedded.start(folder) == embedded.find(folder) == dsn
    assert process(folder) == started
    records = embedded.ensure_database(dsn, "my records")
    assert embedded.ensure_database(dsn, "my records") == records
    scalar(records, "CREATE TABLE kept AS SELECT 7 AS n")
    assert embedded.stop(folder)
    assert not started.is_running()
    assert embedded.find(folder) is None
    assert not embedded.stop(folder)
    assert embedded.start(folder) == dsn
    assert scalar(records, "SELECT n FROM kept") == 7


def test_a_server_outlives_the_process_that_started_it(folder: Path) -> None:
    program = "import sys, pathlib; from demo import embedded;"
    program += "print(embedded.start(pathlib.Path(sys.argv[1])))"
    root = Path(embedded.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={"PYTHONPATH": f"{root}:{root / 'plugins'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert scalar(result.stdout.strip(), "SELECT 1") == 1


def test_a_killed_server_starts_again_even_when_its_number_is_another_programs(
    folder: Path,
) -> None:
    dsn = embedded.start(folder)
    scalar(dsn, "CREATE TABLE kept AS SELECT 7 AS n")
    pid_file = folder / "postmaster.pid"
    lines = pid_file.read_text()
    children = process(folder).children()
    process(folder).send_signal(signal.SIGKILL)
    psutil.wait_procs(children, 30)
    with subprocess.Popen(["sleep", "60"]) as other:
        pid_file.write_text("\n".join([str(other.pid), *lines.splitlines()[1:]]))
        try:
            assert embedded.find(folder) is None
            assert embedded.start(folder) == dsn
            assert scalar(dsn, "SELECT n FROM kept") == 7
            assert other.poll() is None
        finally:
            other.kill()


def test_of_several_starts_at_the_same_time_one_starts_the_server(folder: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(embedded.start(folder))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_a_folder_whose_path_is_too_long_for_a_socket_is_served(folder: Path) -> None:
    deep = folder / ("x" * 60) / ("y" * 60)
    dsn = embedded.start(deep)
    socket_folder = psycopg.conninfo.conninfo_to_dict(dsn)["host"]
    try:
        assert scalar(dsn, "SELECT 1") == 1
    finally:
        embedded.stop(deep)
    assert not Path(str(socket_folder)).exists()


def test_a_folder_with_something_else_in_it_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(EmbeddedServerFailed, match="holds files, and no PostgreSQL data"):
        embedded.start(folder)
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_data_of_another_version_are_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedServerFailed, match="written by PostgreSQL 12, this is 18"):
        embedded.start(folder)


def test_an_interrupted_start_is_repeated(folder: Path) -> None:
    half = folder.with_name("data.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert scalar(embedded.start(folder), "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(EmbeddedServerFailed, match='unrecognized configuration parameter "nosuch"'):
        embedded.start(folder, settings={"nosuch": "1"})
    assert scalar(embedded.start(folder), "SELECT 1") == 1


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        (
            "postgresql://u:p%40@h:1/old?sslmode=require",
            "postgresql://u:p%40@h:1/a%2Fb?sslmode=require",
        ),
        ("postgresql://u@/old?host=/tmp/x", "postgresql://u@/a%2Fb?host=/tmp/x"),
        ("host=h dbname=old", "dbname=a/b host=h"),
    ],
)
def test_another_database_of_the_same_server(dsn: str, expected: str) -> None:
    assert embedded.with_database(dsn, "a/b") == expected
