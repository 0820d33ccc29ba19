"""A month's way through its statuses, on a real mirror and real files."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.dumps.errors import ChecksumMismatch
from discogs.dumps.source import DumpSource, Limits, make_session
from discogs.dumps.storage import DumpStorage
from discogs.errors import IllegalTransition, MonthNotReady, MonthTaken, RetryLimitReached
from discogs.load.options import RunOptions
from discogs.load.run import MonthRun
from discogs.sample.generator import write_months
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking.model import FileState, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository

MONTH = Month(2026, 5)
RUN = RunIdentity("discogs_monthly", "a run")
OTHER = RunIdentity("discogs_monthly", "another run")
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
PLAN = RunOptions(month=MONTH)
QUICK = Limits(attempts=2, backoff=0.01)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_months(folder, MONTH, releases=20, seed=3)
    return folder


@pytest.fixture
def served(written: Path, tmp_path: Path) -> Path:
    """The folder that the mirror serves, the test's own."""
    return Path(shutil.copytree(written, tmp_path / "served"))


@pytest.fixture
def source(served: Path) -> Iterator[DumpSource]:
    with Mirror(served) as mirror, make_session() as session:
        yield DumpSource(session, mirror.url, limits=QUICK)


@pytest.fixture
def storage(tmp_path: Path) -> DumpStorage:
    return DumpStorage(tmp_path / "storage")


@pytest.fixture
def repository(connect: Connect) -> PostgresMonthRepository:
    return PostgresMonthRepository(connect)


@pytest.fixture
def life(repository: PostgresMonthRepository) -> MonthRun:
    return MonthRun(repository=repository, month=MONTH, run=RUN, since=LONG_AGO)


def status(life: MonthRun) -> Status:
    record = life.repository.get(MONTH)
    assert record is not None
    return record.status


def dead(_run: RunIdentity) -> bool:
    return False


def load(life: MonthRun, source: DumpSource, storage: DumpStorage, plan: RunOptions = PLAN) -> None:
    """All steps of a month, but for the rows."""
    life.claim(dead)
    dump = source.find(MONTH, plan.entities)
    files = life.wanted(plan, dump, source.checksums(dump))
    for wanted in files:
        life.fetch(source, storage, wanted)
        life.verify(source, storage, wanted, attempts=1)
    life.ready(files)
    life.processing()
    for wanted in files:
        life.merged(wanted, {"read": 1})
    life.complete()


def test_a_month_goes_from_step_to_step(
    life: MonthRun, source: DumpSource, storage: DumpStorage, served: Path
) -> None:
    assert life.pending(PLAN, source, limit=3).pending
    life.claim(dead)
    assert status(life) is Status.DOWNLOADING
    dump = source.find(MONTH)
    files = life.wanted(PLAN, dump, source.checksums(dump))
    assert [wanted.entity for wanted in files] == list(Entity)
    for wanted in files:
        assert life.fetch(source, storage, wanted) is not None
    assert {file.state for file in life.repository.files(MONTH)} == {FileState.DOWNLOADED}
    for wanted in files:
        assert life.verify(source, storage, wanted, attempts=1) is not None
    assert {file.state for file in life.repository.files(MONTH)} == {FileState.VERIFIED}
    assert status(life) is Status.DOWNLOADING
    life.ready(files)
    assert status(life) is Status.READY_FOR_PROCESSING
    assert life.processing()
    assert status(life) is Status.PROCESSING
    life.complete()
    assert status(life) is Status.COMPLETED
    assert storage.size(files[0].file.name) == (served / files[0].file.name).stat().st_size


def test_a_completed_month_is_left_alone(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    load(life, source, storage)
    before = life.repository.get(MONTH)

    again = replace(life, run=OTHER)
    answer = again.pending(PLAN, source, limit=3)

    assert not answer.pending
    assert "nothing new is published" in answer.reason
    assert life.repository.get(MONTH) == before


def test_the_steps_of_a_completed_month_do_nothing(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    load(life, source, storage)
    dump = source.find(MONTH)
    checksums = source.checksums(dump)
    [wanted, *_] = life.wanted(replace(PLAN, force=True), dump, checksums)
    storage.delete(wanted.file.name)

    assert life.fetch(source, storage, wanted) is None
    assert life.verify(source, storage, wanted, attempts=1) is None
    assert not life.processing()
    assert life.complete().status is Status.COMPLETED
    assert not storage.exists(wanted.file.name)


def test_what_is_published_anew_is_fetched_again_and_nothing_else(
    life: MonthRun, source: DumpSource, storage: DumpStorage, served: Path
) -> None:
    load(life, source, storage)
    write_months(served, MONTH, releases=20, seed=4)
    for entity in (Entity.ARTISTS, Entity.MASTERS, Entity.RELEASES):
        keep_old(storage, served, entity)

    assert "labels" in life.pending(PLAN, source, limit=3).reason
    life.claim(dead)
    dump = source.find(MONTH)
    files = life.wanted(PLAN, dump, source.checksums(dump))

    assert [wanted.entity for wanted in files] == [Entity.LABELS]


def keep_old(storage: DumpStorage, served: Path, entity: Entity) -> None:
    """Put back a file that was published before, and its line in the CHECKSUM."""
    import hashlib

    name = f"discogs_{MONTH.first_day:%Y%m%d}_{entity}.xml.gz"
    with storage.open(name) as opened:
        old = opened.read()
    (served / name).write_bytes(old)
    marker = served / f"discogs_{MONTH.first_day:%Y%m%d}_CHECKSUM.txt"
    lines = [line for line in marker.read_text().splitlines() if name not in line]
    lines.append(f"{hashlib.sha256(old).hexdigest()} {name}")
    marker.write_text("\n".join(lines) + "\n")


def test_a_month_completed_without_an_entity_is_pending_for_it(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    load(life, source, storage, replace(PLAN, entities=(Entity.LABELS,)))

    assert not life.pending(replace(PLAN, entities=(Entity.LABELS,)), source, limit=3).pending
    answer = life.pending(PLAN, source, limit=3)

    assert answer.pending
    assert "without artists, masters, releases" in answer.reason
    load(life, source, storage)
    names = life.repository.ensure(MONTH).file_checksums
    assert len(names) == 4


def test_a_month_that_failed_after_its_merges_is_read_again(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    load(life, source, storage)
    life.failed("checks: a check failed")
    life.claim(dead)
    dump = source.find(MONTH)

    assert len(life.wanted(PLAN, dump, source.checksums(dump))) == 4


def test_past_the_limit_the_schedule_stops_and_force_goes_on(
    life: MonthRun, source: DumpSource
) -> None:
    for number in range(2):
        run = RunIdentity("discogs_monthly", f"run {number}")
        failing = replace(life, run=run)
        failing.claim(dead)
        failing.failed("no disk")

    with pytest.raises(RetryLimitReached, match=r"failed 2 times.*no disk.*force"):
        life.pending(PLAN, source, limit=2)
    assert life.pending(PLAN, source, limit=3).pending
    assert life.pending(replace(PLAN, force=True), source, limit=2).pending


def test_two_runs_do_not_work_on_one_month(life: MonthRun) -> None:
    life.claim(dead)

    with pytest.raises(MonthTaken, match="a run"):
        replace(life, run=OTHER).claim(lambda _run: True)
    assert life.repository.ensure(MONTH).run == RUN


def test_what_a_dead_run_left_is_taken_over(life: MonthRun) -> None:
    life.claim(dead)

    record = replace(life, run=OTHER).claim(dead)

    assert (record.status, record.run, record.retry_count) == (Status.DOWNLOADING, OTHER, 1)
    with pytest.raises(MonthTaken):
        life.processing()


def test_a_file_that_changed_in_the_storage_is_fetched_again(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    life.claim(dead)
    dump = source.find(MONTH)
    [wanted, *_] = life.wanted(PLAN, dump, source.checksums(dump))
    life.fetch(source, storage, wanted)
    path = Path(str(storage.path(wanted.file.name)))
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ChecksumMismatch):
        life.verify(source, storage, wanted, attempts=1)
    checksum = life.verify(source, storage, wanted, attempts=2)

    assert checksum is not None
    assert checksum.is_right


def test_a_month_with_an_unverified_file_is_not_ready(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    life.claim(dead)
    dump = source.find(MONTH)
    files = life.wanted(PLAN, dump, source.checksums(dump))
    for wanted in files:
        life.fetch(source, storage, wanted)
    for wanted in files[1:]:
        life.verify(source, storage, wanted, attempts=1)

    with pytest.raises(MonthNotReady, match=files[0].file.name):
        life.ready(files)


def test_a_task_beside_the_failed_one_leaves_the_row_failed(life: MonthRun) -> None:
    life.claim(dead)
    life.repository.move(MONTH, Status.READY_FOR_PROCESSING, run=RUN)
    life.failed("releases.stage: killed")

    life.processing()
    record = life.repository.ensure(MONTH)
    assert (record.status, record.error_message) == (Status.FAILED, "releases.stage: killed")

    # The run was cleared, so it has started again since.
    again = replace(life, since=dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=1))
    assert again.processing()
    assert status(life) is Status.PROCESSING


def test_a_failure_told_twice_counts_once(life: MonthRun) -> None:
    life.claim(dead)
    life.failed("the first")
    life.failed("the second")

    record = life.repository.ensure(MONTH)
    assert (record.error_message, record.retry_count) == ("the first", 1)


def test_a_step_before_the_claim_is_refused(life: MonthRun) -> None:
    life.repository.ensure(MONTH)

    with pytest.raises(IllegalTransition):
        life.processing()


def test_cleanup_notes_what_it_deleted(
    life: MonthRun, source: DumpSource, storage: DumpStorage
) -> None:
    load(life, source, storage)

    kept = life.cleanup(storage, replace(Settings(), keep_months=0), keep_all=True)
    assert kept.deleted == {}
    report = life.cleanup(storage, replace(Settings(), keep_months=0), keep_all=False)

    assert len(report.deleted) == 4
    assert {file.state for file in life.repository.files(MONTH)} == {FileState.DELETED}


def test_months_are_processed_one_after_the_other(
    repository: PostgresMonthRepository, life: MonthRun
) -> None:
    def alive(_run: RunIdentity) -> bool:
        return True

    life.claim(dead)
    life.ready([])
    following = MonthRun(repository=repository, month=MONTH.plus(1), run=OTHER, since=LONG_AGO)
    following.claim(dead)
    following.ready([])
    assert following.take_turn(alive) is None

    held = life.take_turn(alive)

    assert held is not None
    assert held.month == MONTH.plus(1)
    assert status(life) is Status.READY_FOR_PROCESSING
    # A run that is gone holds nobody up.
    assert life.take_turn(lambda run: run != OTHER) is None
    assert status(life) is Status.PROCESSING


def test_a_month_is_not_completed_without_what_it_should_load(
    repository: PostgresMonthRepository, life: MonthRun
) -> None:
    life.claim(dead)
    life.ready([])
    life.processing()
    repository.record_published(MONTH, None, {"labels": "a" * 64, "artists": "b" * 64})
    repository.record_entity_stats(MONTH, Entity.LABELS, {"sha256": "a" * 64})
    # Of other bytes: those that were published before.
    repository.record_entity_stats(MONTH, Entity.ARTISTS, {"sha256": "c" * 64})

    with pytest.raises(MonthNotReady, match="artists not merged"):
        life.complete([Entity.LABELS, Entity.ARTISTS])

    assert status(life) is Status.PROCESSING
    assert life.complete([Entity.LABELS]).status is Status.COMPLETED
