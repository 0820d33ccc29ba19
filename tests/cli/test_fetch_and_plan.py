from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.sample.exchange import Fault
from discogs.sample.generator import write_months
from discogs.sample.mirror import Behaviour, Mirror
from discogs.schema.entities import Month
from tests import faults
from tests.cli.conftest import Launch, Run

MONTH = Month(2026, 5)
NAMES = [f"discogs_20260501_{name}.xml.gz" for name in ("labels", "masters", "artists", "releases")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_months(folder, MONTH, releases=300)
    return folder


def whole(folder: Path, served: Path) -> bool:
    """Whether a folder holds what the server has, and nothing else."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in served.iterdir()
    }


@pytest.mark.parametrize("layout", ["data.discogs.com", "s3"])
def test_a_month_is_fetched_with_six_requests_one_file_after_another(
    run: Run, served: Path, tmp_path: Path, layout: str
) -> None:
    folder = tmp_path / "new" / "dumps"
    with Mirror(served, layout, behaviour=Behaviour(rate=200_000)) as mirror:
        result = run("fetch", folder, "--month", MONTH, "--from", mirror.url, "--layout", layout)
        assert (result.returncode, result.stderr) == (0, "")
        seen = mirror.seen
    assert whole(folder, served)
    assert [line.split()[0] for line in result.stdout.splitlines()] == NAMES
    assert all("SHA-256 verified" in line for line in result.stdout.splitlines())
    assert len(seen) == 6
    assert "prefix=" in seen[0].target
    assert [request.target.rpartition("/")[2] for request in seen[2:]] == NAMES
    for one, other in itertools.pairwise(seen):
        assert one.ended is not None
        assert one.ended <= other.at + 0.1  # the last bytes are there before the server is done
    assert all(request.headers["user-agent"].startswith("airflow-discogs/") for request in seen)


def test_a_fetch_that_was_killed_goes_on_where_the_server_allows(
    run: Run, launch: Launch, served: Path, tmp_path: Path
) -> None:
    size = (served / NAMES[-1]).stat().st_size
    with Mirror(served, "s3", faults=[faults.stall(size // 2, 60).on("releases")]) as mirror:
        options = ("--month", MONTH, "--from", mirror.url, "--layout", "s3")
        part = tmp_path / f"{NAMES[-1]}.part"
        with launch("fetch", tmp_path, *options) as process:
            for _ in range(1000):
                if part.exists() and part.stat().st_size >= size // 2:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 143
        assert part.exists()
        before = len(mirror.seen)
        result = run("fetch", tmp_path, *options)
        assert result.returncode == 0, result.stderr
        asked = mirror.seen[before:]
        # Listing, CHECKSUM, and what is missing of the one file.
        assert [request.range for request in asked] == [None, None, f"bytes={size // 2}-"]
    assert whole(tmp_path, served)
    assert result.stdout.count("already there") == 3


def test_only_some_entities_may_be_fetched(run: Run, served: Path, tmp_path: Path) -> None:
    with Mirror(served) as mirror:
        options = ("--month", MONTH, "--from", mirror.url, "--entities", "labels", "artists")
        result = run("fetch", tmp_path, *options)
        assert result.returncode == 0, result.stderr
        assert len(mirror.seen) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "discogs_20260501_CHECKSUM.txt",
        "discogs_20260501_artists.xml.gz",
        "discogs_20260501_labels.xml.gz",
    ]


def test_what_is_fetched_can_be_served_to_others(run: Run, served: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for source, target in ((served, first), (first, second)):
        with Mirror(source) as mirror:
            result = run("fetch", target, "--month", MONTH, "--from", mirror.url)
            assert result.returncode == 0, result.stderr
    assert whole(second, served)


@pytest.mark.parametrize(
    ("month", "fault", "said", "asked"),
    [
        ("2026-06", None, "not published", 1),
        ("2026-05", faults.status(403).repeated(None), "network is blocked", 2),
        ("2026-05", faults.status(429, retry_after="3500").repeated(None), "58 minutes", 1),
        ("2026-05", faults.status(404).repeated(None), "neither a listing nor", 2),
    ],
)
def test_a_fetch_that_cannot_be_done_says_why(
    run: Run, served: Path, tmp_path: Path, month: str, fault: Fault | None, said: str, asked: int
) -> None:
    with Mirror(served, faults=[fault] if fault else []) as mirror:
        result = run("fetch", tmp_path, "--month", month, "--from", mirror.url)
        assert len(mirror.seen) == asked
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_wrong_names_are_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert run("fetch", tmp_path, "--month", "2026-05", "--entities", "songs").returncode == 2
    assert run("fetch", tmp_path, "--month", "May").returncode == 2
    result = run("plan", "--month", "2026-05", "--from", "data.discogs.com")
    assert result.returncode == 1
    assert "is not an address of dumps" in result.stderr


def test_a_plan_says_what_a_load_would_take_with_one_request(
    run: Run, served: Path, tmp_path: Path
) -> None:
    with Mirror(served, "s3") as mirror:
        options = ("--month", MONTH, "--from", mirror.url, "--layout", "s3")
        result = run("plan", *options, "--storage", tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert len(mirror.seen) == 1
        (tmp_path / NAMES[0]).write_bytes(b"x")
        again = run("plan", *options, "--storage", tmp_path).stdout
    lines = result.stdout.splitlines()
    assert lines[0] == "Plan for 2026-05, the dump of 2026-05-01:"
    for name in NAMES:
        assert f"{name}  {(served / name).stat().st_size / 1e6:.1f} MB  to be fetched" in (
            result.stdout
        )
    assert "in 6 requests, one file at a time" in result.stdout
    assert "a reserve of 2.1 GB" in result.stdout
    assert "for a first load: free space unknown from here" in result.stdout
    assert "by the package's benchmark" in lines[-1]
    assert f"{NAMES[0]}  {(served / NAMES[0]).stat().st_size / 1e6:.1f} MB  is in the" in again
    assert "in 5 requests" in again


def test_a_plan_knows_what_was_loaded_before(
    run: Run, served: Path, tmp_path: Path, database: str, connect: Connect
) -> None:
    with connect() as conn:
        conn.execute(
            "INSERT INTO discogs_data_processing (id, year_month, status, processing_stats)"
            " VALUES (gen_random_uuid(), '2026-05', 'not_started', %s)",
            ['{"labels": {"seconds": 1.5, "read": 3}}'],
        )
        conn.commit()
    with Mirror(served) as mirror:
        options = ("--month", MONTH, "--from", mirror.url, "--storage", tmp_path)
        result = run("plan", *options, "--dsn", database)
        without = run("plan", *options, "--dsn", database.replace("postgresql", "nothing"))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{NAMES[0]}  " in result.stdout
    assert result.stdout.count("loaded already") == 1
    assert "for a later month" in result.stdout
    assert "free" in result.stdout.split("Disk for the database")[1]
    assert without.returncode == 1


def test_a_plan_of_an_empty_database_is_one_of_a_first_load(
    run: Run, served: Path, tmp_path: Path, database: str
) -> None:
    with Mirror(served) as mirror:
        options = ("--month", MONTH, "--from", mirror.url, "--storage", tmp_path)
        result = run("plan", *options, "--dsn", database)
    assert (result.returncode, result.stderr) == (0, "")
    assert "for a first load" in result.stdout
