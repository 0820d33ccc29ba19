"""The command beside other runs: it waits its turn, and takes over only months of runs that are
gone."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.database.errors import LockBusy
from discogs.load.folder import load_folder
from discogs.load.locks import COMMAND, holding_month
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from discogs.tracking.report import MonthReport
from tests.conftest import SCHEMA
from tests.dump_files import write_dump

pytestmark = pytest.mark.slow

MAY, JUNE = Month(2026, 5), Month(2026, 6)
AIRFLOW = RunIdentity("discogs_monthly", "scheduled__2026-05")
KILLED = RunIdentity(COMMAND, "another machine:1")


@pytest.fixture
def repository(connect: Connect) -> PostgresMonthRepository:
    return PostgresMonthRepository(connect)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    label = "<label><id>1</id><name>A</name></label>"
    for month in (MAY, JUNE):
        write_dump(tmp_path, month, Entity.LABELS, label)
    return tmp_path


def begin(repository: PostgresMonthRepository, month: Month, run: RunIdentity) -> None:
    repository.claim(month, run)
    for status in (Status.READY_FOR_PROCESSING, Status.PROCESSING):
        repository.move(month, status, run=run)


def load(connect: Connect, folder: Path, month: Month, turn_seconds: float = 0) -> MonthReport:
    return load_folder(
        connect, folder, month, Settings(), run_id="here:2", turn_seconds=turn_seconds
    )


def test_while_another_month_is_processed_a_load_says_so_and_fails_in_the_end(
    connect: Connect, repository: PostgresMonthRepository, folder: Path
) -> None:
    begin(repository, MAY, AIRFLOW)

    with pytest.raises(MonthTaken, match=r"2026-05 is processing .* scheduled__2026-05"):
        load(connect, folder, JUNE)

    june = repository.ensure(JUNE)
    assert (june.status, june.run) == (Status.FAILED, RunIdentity(COMMAND, "here:2"))
    assert repository.ensure(MAY).run == AIRFLOW


def test_a_load_continues_when_the_other_month_is_processed(
    connect: Connect,
    repository: PostgresMonthRepository,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begin(repository, MAY, AIRFLOW)

    def finish() -> None:
        while not any("waiting" in said for said in caplog.messages):
            time.sleep(0.05)
        repository.move(MAY, Status.COMPLETED, run=AIRFLOW)

    other = threading.Thread(target=finish)
    other.start()
    with caplog.at_level(logging.WARNING):
        report = load(connect, folder, JUNE, turn_seconds=60)
    other.join()

    assert report.status is Status.COMPLETED
    waited = [said for said in caplog.messages if "waiting up to 60 s" in said]
    assert waited == [f"2026-05 is being processed by {AIRFLOW}: waiting up to 60 s for it to end."]


def test_a_killed_load_blocks_neither_its_month_nor_another(
    connect: Connect, repository: PostgresMonthRepository, folder: Path
) -> None:
    begin(repository, MAY, KILLED)
    assert load(connect, folder, JUNE).status is Status.COMPLETED
    assert repository.ensure(MAY).status is Status.FAILED

    begin(repository, MAY, KILLED)
    assert load(connect, folder, MAY).status is Status.COMPLETED


def test_another_load_of_a_month_is_waited_for(
    connect: Connect, repository: PostgresMonthRepository, folder: Path
) -> None:
    begin(repository, MAY, KILLED)
    with (
        holding_month(connect, SCHEMA, MAY, wait=0),
        pytest.raises(LockBusy, match="is held by"),
    ):
        load(connect, folder, MAY)
    assert repository.ensure(MAY).status is Status.PROCESSING


def test_another_command_is_waited_for_until_it_ends(
    connect: Connect,
    repository: PostgresMonthRepository,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begin(repository, MAY, KILLED)
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        with holding_month(connect, SCHEMA, MAY, wait=0):
            june = pool.submit(load, connect, folder, JUNE)
            assert not wait([june], timeout=3).done
        assert june.result(timeout=60).status is Status.COMPLETED
    assert [said for said in caplog.messages if "waiting" in said] == [
        f"2026-05 is being processed by {KILLED}: waiting for it to end."
    ]


def test_a_month_of_an_airflow_run_is_not_taken(
    connect: Connect, repository: PostgresMonthRepository, folder: Path
) -> None:
    repository.claim(MAY, AIRFLOW)
    with pytest.raises(MonthTaken, match=r"scheduled__2026-05: wait for it, or mark that run"):
        load(connect, folder, MAY)
    assert repository.ensure(MAY).run == AIRFLOW


def test_a_month_of_an_airflow_run_is_taken_when_its_lease_is_over(
    connect: Connect, repository: PostgresMonthRepository, folder: Path
) -> None:
    leased = RunIdentity(AIRFLOW.dag_id, AIRFLOW.run_id, "an Airflow")
    repository.claim(MAY, leased)
    begin(repository, JUNE, leased)
    said = r"another run, .* of another Airflow \(counts as alive until "
    with pytest.raises(MonthTaken, match=said):
        load(connect, folder, MAY)

    with connect() as conn:
        conn.execute("UPDATE discogs_data_processing SET alive_until = clock_timestamp()")
    assert load(connect, folder, MAY).status is Status.COMPLETED
    assert repository.ensure(JUNE).status is Status.FAILED
