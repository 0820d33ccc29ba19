from __future__ import annotations

import hashlib
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from demo.embedded import with_database
from discogs.database.connection import connector
from discogs.schema.entities import Month
from discogs.tracking.model import MonthRecord, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.conftest import SCHEMA, new_database
from tests.content import digests, staging_tables
from tests.sample.odd_records import write_months

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Launch = Callable[..., "subprocess.Popen[str]"]

MAY, JUNE = Month(2026, 5), Month(2026, 6)
ENTITIES = ["labels", "artists", "masters", "releases"]
#: A large share of the records of this small sample is odd; none is rejected.
RELEASES = 200


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    write_months(folder, MAY, months=2, releases=RELEASES)
    return folder


@dataclass
class Loaded:
    """A database in which May is loaded, and what its tables hold."""

    dsn: str
    before: dict[str, tuple[int, str]]

    def month(self, month: Month) -> MonthRecord | None:
        return PostgresMonthRepository(connector(self.dsn, SCHEMA)).get(month)

    def unchanged(self) -> None:
        assert digests(self.dsn) == self.before
        record = self.month(MAY)
        assert record is not None
        assert record.status is Status.COMPLETED


@pytest.fixture(scope="module")
def loaded(server: str, dumps: Path) -> Iterator[Loaded]:
    from discogs.load.folder import load_folder
    from discogs.settings import Settings

    with new_database(server) as dsn:
        load_folder(connector(dsn, SCHEMA), dumps, MAY, Settings(), run_id="test")
        yield Loaded(dsn, digests(dsn))


@pytest.fixture
def june(dumps: Path, tmp_path: Path) -> Path:
    """A copy of June's files, which tests damage."""
    folder = tmp_path / "june"
    folder.mkdir()
    for path in dumps.glob("discogs_202606*"):
        shutil.copy(path, folder)
    return folder


def refused(
    result: subprocess.CompletedProcess[str], why: str, code: int = 1, warnings: int = 0
) -> None:
    """One clear line on stderr, after some warnings, and no traceback."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    *before, line = result.stderr.splitlines()
    assert ["WARNING" in each for each in before] == [True] * warnings
    assert line.startswith("discogs: ")
    assert why in line
    assert "Traceback" not in result.stderr


def test_a_month_is_loaded_and_reported(
    run: Run, database: str, dumps: Path, tmp_path: Path
) -> None:
    report_file = tmp_path / "report.json"
    result = run("load", dumps, "--month", MAY, "--dsn", database, "--report", report_file)
    assert (result.returncode, result.stderr) == (0, "")
    assert "2026-05 is completed" in result.stdout
    report = json.loads(report_file.read_text())
    assert (report["year_month"], report["status"]) == ("2026-05", "completed")
    assert (report["dag_id"], report["not_verified"]) == ("command line", [])
    assert list(report["entities"]) == ENTITIES
    with psycopg.connect(database) as conn:
        for entity in ENTITIES:
            stats = report["entities"][entity]
            count = conn.execute(
                f"SELECT count(*) FROM discogs.{entity} WHERE NOT placeholder"
            ).fetchone()
            assert count == (stats["inserted"],)
            assert stats["read"] == stats["inserted"] > 0
            assert (stats["rejected"], stats["unmapped"], stats["first_load"]) == (0, {}, True)
            path = dumps / f"discogs_20260501_{entity}.xml.gz"
            assert stats["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report["entities"]["releases"]["read"] == RELEASES
    assert {check["name"] for check in report["checks"] if check["passed"]} == {
        check["name"] for check in report["checks"]
    }
    assert staging_tables(database) == []
    record = PostgresMonthRepository(connector(database, SCHEMA)).get(MAY)
    assert record is not None
    assert (record.status, record.error_message) == (Status.COMPLETED, None)
    assert record.processing_stats["releases"]["read"] == RELEASES
    checked = set(record.file_checksums)
    assert checked == {path.name for path in dumps.glob("discogs_20260501_*.xml.gz")}
    again = run("load", dumps, "--month", MAY, DISCOGS_DSN=database)
    assert (again.returncode, again.stderr) == (0, "")
    status = run("status", "--dsn", database, "--json")
    (month,) = json.loads(status.stdout)["months"]
    assert month.keys() == report.keys()
    assert month["entities"]["labels"].keys() == report["entities"]["labels"].keys()


@pytest.mark.parametrize("options", [("--engine", "careful"), ("--shards", "3")])
def test_engine_and_shards_are_as_asked_for(
    run: Run, loaded: Loaded, database: str, dumps: Path, options: tuple[str, str]
) -> None:
    result = run("load", dumps, "--month", MAY, "--dsn", database, *options)
    assert (result.returncode, result.stderr) == (0, "")
    assert digests(database) == loaded.before


def test_a_folder_with_some_of_the_files_is_loaded(
    run: Run, database: str, dumps: Path, tmp_path: Path
) -> None:
    shutil.copy(dumps / "discogs_20260501_labels.xml.gz", tmp_path)
    report_file = tmp_path / "report.json"
    result = run("load", tmp_path, "--month", MAY, "--dsn", database, "--report", report_file)
    assert result.returncode == 0
    (warning,) = result.stderr.splitlines()
    assert "discogs_20260501_labels.xml.gz is not verified: there is no CHECKSUM.txt" in warning
    report = json.loads(report_file.read_text())
    assert list(report["entities"]) == ["labels"]
    assert report["not_verified"] == ["discogs_20260501_labels.xml.gz"]
    assert report["dump_date"] == "2026-05-01"
    assert [file["state"] for file in report["files"]] == ["downloaded"]


def test_a_file_that_its_checksum_does_not_list_is_loaded_with_a_warning(
    run: Run, database: str, dumps: Path, tmp_path: Path
) -> None:
    for path in dumps.glob("discogs_202605*"):
        shutil.copy(path, tmp_path)
    marker = tmp_path / "discogs_20260501_CHECKSUM.txt"
    lines = [line for line in marker.read_text().splitlines() if "artists" not in line]
    marker.write_text("\n".join(lines) + "\n")
    report_file = tmp_path / "report.json"
    result = run("load", tmp_path, "--month", MAY, "--dsn", database, "--report", report_file)
    assert result.returncode == 0
    (warning,) = result.stderr.splitlines()
    assert "artists.xml.gz is not verified: discogs_20260501_CHECKSUM.txt does not" in warning
    assert "Not verified, as no CHECKSUM.txt lists them: discogs_20260501_artists" in result.stdout
    states = {
        file["file_name"]: file["state"] for file in json.loads(report_file.read_text())["files"]
    }
    assert states.pop("discogs_20260501_artists.xml.gz") == "downloaded"
    assert set(states.values()) == {"verified"}


def test_an_invalid_checksum_file_of_a_folder_is_reported(
    run: Run, loaded: Loaded, june: Path
) -> None:
    (june / "discogs_20260601_CHECKSUM.txt").write_text("<html>Too many requests</html>")
    result = run("load", june, "--month", JUNE, "--dsn", loaded.dsn)
    refused(result, "discogs_20260601_CHECKSUM.txt is not a list of checksums")
    assert "download" not in result.stderr
    assert "server" not in result.stderr
    loaded.unchanged()


# Wrong arguments.


def test_a_missing_folder_is_reported(run: Run, loaded: Loaded, tmp_path: Path) -> None:
    result = run("load", tmp_path / "none", "--month", JUNE, "--dsn", loaded.dsn)
    refused(result, f"{tmp_path / 'none'} is not a folder.")
    loaded.unchanged()


def test_a_folder_without_the_months_files_is_reported(
    run: Run, loaded: Loaded, dumps: Path
) -> None:
    result = run("load", dumps, "--month", "2026-09", "--dsn", loaded.dsn)
    refused(result, "holds no dump of 2026-09: expected files named like discogs_202609DD_")
    loaded.unchanged()


@pytest.mark.parametrize("month", ["2026-13", "next"])
def test_an_invalid_month_is_wrong_usage(run: Run, loaded: Loaded, dumps: Path, month: str) -> None:
    result = run("load", dumps, "--month", month, "--dsn", loaded.dsn)
    assert (result.returncode, result.stdout) == (2, "")
    last = result.stderr.splitlines()[-1]
    assert f"{month!r} is not a month: write it as YYYY-MM" in last
    assert "Traceback" not in result.stderr


def test_no_database_is_wrong_usage(run: Run, dumps: Path) -> None:
    refused(run("load", dumps, "--month", MAY), "no database: give --dsn", code=2)


def test_an_unreachable_database_is_reported_without_the_password(run: Run, dumps: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    dsn = f"postgresql://someone:secret-word@127.0.0.1:{port}/nowhere"
    result = run("load", dumps, "--month", MAY, "--dsn", dsn)
    refused(result, f"127.0.0.1:{port}")
    assert "secret-word" not in result.stderr


def test_a_missing_database_is_reported(run: Run, server: str, dumps: Path) -> None:
    result = run("load", dumps, "--month", MAY, "--dsn", with_database(server, "no_such_one"))
    refused(result, "no_such_one")


def test_a_report_that_cannot_be_written_is_reported_before_the_load(
    run: Run, loaded: Loaded, dumps: Path, tmp_path: Path
) -> None:
    place = tmp_path / "none" / "report.json"
    result = run("load", dumps, "--month", JUNE, "--dsn", loaded.dsn, "--report", place)
    refused(result, f"{place.parent} is not a folder")
    loaded.unchanged()


# Damaged files: reported, recorded in the month's row, and nothing changes.


def no_gzip(path: Path) -> None:
    path.write_bytes(b"<html>Too many requests</html>")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another(path: Path) -> None:
    shutil.copy(path.with_name("discogs_20260601_labels.xml.gz"), path)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (no_gzip, "it is not a gzip file"),
        (cut, "is cut short: the gzip stream ends before its end marker"),
        (empty, "is cut short: it is empty"),
        (another, "its root element is <labels>, not <releases>"),
    ],
)
def test_a_broken_file_is_reported_and_nothing_changes(
    run: Run, loaded: Loaded, june: Path, spoil: Callable[[Path], None], why: str
) -> None:
    (june / "discogs_20260601_CHECKSUM.txt").unlink()
    path = june / "discogs_20260601_releases.xml.gz"
    spoil(path)
    result = run("load", june, "--month", JUNE, "--dsn", loaded.dsn)
    refused(result, why, warnings=4)
    assert path.name in result.stderr
    loaded.unchanged()
    record = loaded.month(JUNE)
    assert record is not None
    assert record.status is Status.FAILED
    assert record.error_message == result.stderr.splitlines()[-1].removeprefix("discogs: ")


def test_the_truncated_excerpt_is_reported_and_loads_nothing(
    run: Run, database: str, samples: Path
) -> None:
    folder = samples / "2026-04" / "truncated"
    result = run("load", folder, "--month", "2026-04", "--dsn", database)
    refused(result, "is cut short", warnings=len(list(folder.glob("*.gz"))))
    assert {rows for rows, _ in digests(database).values()} == {0}
    record = PostgresMonthRepository(connector(database, SCHEMA)).get(Month(2026, 4))
    assert record is not None
    assert record.status is Status.FAILED
    assert "is cut short" in str(record.error_message)


def test_a_file_that_differs_from_its_checksum_is_reported_and_kept(
    run: Run, loaded: Loaded, june: Path
) -> None:
    path = june / "discogs_20260601_masters.xml.gz"
    data = path.read_bytes() + b"\0"
    path.write_bytes(data)
    result = run("load", june, "--month", JUNE, "--dsn", loaded.dsn)
    refused(result, f"{path.name} does not match its CHECKSUM.txt")
    assert hashlib.sha256(data).hexdigest() in result.stderr
    assert path.read_bytes() == data
    loaded.unchanged()
    record = loaded.month(JUNE)
    assert record is not None
    assert record.status is Status.FAILED
    assert path.name in str(record.error_message)


def test_a_dump_that_shrank_is_reported_and_can_be_allowed(
    run: Run, database: str, dumps: Path, tmp_path: Path
) -> None:
    assert run("load", dumps, "--month", MAY, "--dsn", database).returncode == 0
    before = digests(database)
    write_months(tmp_path, JUNE, releases=RELEASES // 2)
    result = run("load", tmp_path, "--month", JUNE, "--dsn", database)
    refused(result, "fewer than 2026-05, more than 2% (DISCOGS_MAX_SHRINK)")
    # All reasons are reported together.
    assert {entity for entity in ENTITIES if f"{entity} has " in result.stderr} >= {
        "artists",
        "releases",
    }
    assert digests(database) == before
    allowed = run("load", tmp_path, "--month", JUNE, "--dsn", database, "--allow-shrink")
    assert (allowed.returncode, allowed.stderr) == (0, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_load_that_is_stopped_is_noted_and_changes_nothing(
    launch: Launch, run: Run, loaded: Loaded, june: Path, number: signal.Signals, code: int
) -> None:
    with psycopg.connect(loaded.dsn) as conn:
        # Staging waits for this lock, so that the load is stopped while it runs.
        conn.execute("LOCK TABLE discogs.releases IN ACCESS EXCLUSIVE MODE")
        process = launch("load", june, "--month", JUNE, "--dsn", loaded.dsn)
        try:
            _until_waiting(loaded.dsn)
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == code
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said
    loaded.unchanged()
    record = loaded.month(JUNE)
    assert record is not None
    assert (record.status, record.error_message) == (Status.FAILED, "The load was stopped.")


def _until_waiting(dsn: str) -> None:
    """Until some connection of the load waits for a lock on a table."""
    deadline = time.monotonic() + 30
    with psycopg.connect(dsn, autocommit=True) as conn:
        while time.monotonic() < deadline:
            row = conn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND wait_event = 'relation'"
            ).fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.05)
    raise AssertionError("the load never came to wait")


def test_a_month_that_failed_often_can_be_loaded(
    run: Run, server: str, loaded: Loaded, june: Path
) -> None:
    """Last in this file: failed attempts do not keep the command from loading the month."""
    result = run("load", june, "--month", JUNE, "--dsn", loaded.dsn)
    assert (result.returncode, result.stderr) == (0, "")
    record = loaded.month(JUNE)
    assert record is not None
    assert (record.status, record.error_message) == (Status.COMPLETED, None)
    assert staging_tables(loaded.dsn) == []


def test_a_filter_that_cannot_be_read_ends_before_anything_is_done(
    run: Run, tmp_path: Path
) -> None:
    result = run(
        "load",
        tmp_path,
        *("--month", "2026-07", "--dsn", "postgresql://nowhere.invalid/x"),
        *("--filter", "releases:colour=red"),
    )
    assert result.returncode == 1
    assert "releases can be filtered by country" in result.stderr
