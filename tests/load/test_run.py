"""The steps of a month's run, on a real mirror, real files and a real database."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.database.locking import advisory_lock
from discogs.dumps.errors import ChecksumMismatch, DumpFileMissing, DumpNotPublished
from discogs.dumps.source import DumpSource, Limits, make_session
from discogs.dumps.storage import DumpStorage
from discogs.load.errors import MonthNotReady, RetryLimitReached
from discogs.load.locks import turn_lock
from discogs.load.options import PlannedFile
from discogs.load.run import MonthRun
from discogs.load.source import ServerSource
from discogs.sample.generator import write_months
from discogs.sample.mirror import Behaviour, Mirror
from discogs.schema.entities import Entity, Month
from discogs.tracking.errors import IllegalTransition, MonthTaken
from discogs.tracking.model import FileState, RunIdentity, Status
from discogs.tracking.report import MonthReport
from tests.load.conftest import LENIENT, RUN, month_run

MONTH = Month(2026, 5)
OTHER = RunIdentity("a DAG", "another run")
QUICK = Limits(attempts=3, backoff=0.01)
SETTINGS = replace(LENIENT, workers=1)


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
def source(served: Path, tmp_path: Path) -> Iterator[ServerSource]:
    with Mirror(served) as mirror, make_session() as session:
        server = DumpSource(session, mirror.url, limits=QUICK)
        yield ServerSource(server, DumpStorage(tmp_path / "storage"))


@pytest.fixture
def run(connect: Connect) -> MonthRun:
    return month_run(connect, MONTH, SETTINGS)


def asked(run: MonthRun, **changes: object) -> MonthRun:
    """The same run, asked for something else."""
    return replace(run, options=replace(run.options, **changes))  # type: ignore[arg-type]


def status(run: MonthRun) -> Status:
    record = run.repository.get(run.month)
    assert record is not None
    return record.status


def fetch(run: MonthRun, source: ServerSource) -> list[PlannedFile]:
    """All steps until the files are there and verified."""
    run.claim()
    planned = run.plan(source)
    for file in planned:
        run.fetch(source, file)
        run.verify(source, file)
    run.ready(planned)
    assert run.take_turn() is None
    return planned


def load(run: MonthRun, source: ServerSource) -> MonthReport:
    """All steps of a month."""
    planned = fetch(run, source)
    for file in planned:
        run.stage(source.storage, file, 0)
    run.check_staged(planned)
    for file in planned:
        run.merge(source.storage, file)
    run.check()
    return run.complete()


def test_the_row_of_a_file_that_cannot_be_fetched_says_why_and_how_often_it_was_tried(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    run.claim()
    file = run.plan(source)[0]
    (served / file.name).write_bytes(b"\x1f\x8bnot what CHECKSUM lists")
    with pytest.raises(ChecksumMismatch) as caught:
        run.fetch(source, file)
    row = next(row for row in run.repository.files(MONTH) if row.file_name == file.name)
    assert (row.state, row.attempts) == (FileState.FAILED, 3)
    assert row.error_message == str(caught.value)
    # A run that ends otherwise leaves no download either.
    run.repository.record_file(MONTH, file.name, state=FileState.DOWNLOADING)
    run.fail("killed")
    row = next(row for row in run.repository.files(MONTH) if row.file_name == file.name)
    assert (row.state, row.error_message) == (FileState.FAILED, "killed")


def publish_again(source: ServerSource, served: Path, *entities: Entity) -> None:
    """Upload other files of some entities, and a CHECKSUM that lists them."""
    old = {path.name: path.read_bytes() for path in served.iterdir()}
    write_months(served, MONTH, releases=20, seed=4)
    marker = served / f"discogs_{MONTH.first_day:%Y%m%d}_CHECKSUM.txt"
    for entity in Entity:
        name = f"discogs_{MONTH.first_day:%Y%m%d}_{entity}.xml.gz"
        if entity not in entities:
            lines = [line for line in marker.read_text().splitlines() if name not in line]
            lines.append(f"{hashlib.sha256(old[name]).hexdigest()} {name}")
            marker.write_text("\n".join(lines) + "\n")
            (served / name).write_bytes(old[name])


def test_a_month_goes_from_step_to_step(run: MonthRun, source: ServerSource, served: Path) -> None:
    assert run.pending(source).pending
    run.claim()
    assert status(run) is Status.DOWNLOADING
    planned = run.plan(source)
    assert [file.entity for file in planned] == list(Entity)
    for file in planned:
        assert run.fetch(source, file) is not None
    assert {file.state for file in run.repository.files(MONTH)} == {FileState.DOWNLOADED}
    for file in planned:
        assert run.verify(source, file) is not None
    assert {file.state for file in run.repository.files(MONTH)} == {FileState.VERIFIED}
    assert status(run) is Status.DOWNLOADING
    run.ready(planned)
    assert status(run) is Status.READY_FOR_PROCESSING
    assert run.take_turn() is None
    assert status(run) is Status.PROCESSING
    for file in planned:
        assert run.stage(source.storage, file, 0) is not None
    run.check_staged(planned)
    for file in planned:
        report = run.merge(source.storage, file)
        assert report is not None
        assert report.sha256 == hashlib.sha256((served / file.name).read_bytes()).hexdigest()
    assert all(result.passed for result in run.check())
    done = run.complete()
    assert status(run) is Status.COMPLETED
    assert done.status is Status.COMPLETED
    assert len(done.checks) > 6
    name = planned[0].name
    assert source.storage.size(name) == (served / name).stat().st_size


def test_a_completed_month_is_left_alone(run: MonthRun, source: ServerSource) -> None:
    load(run, source)
    before = run.repository.get(MONTH)

    again = replace(run, identity=OTHER)
    answer = again.pending(source)

    assert not answer.pending
    assert "nothing new is published" in answer.reason
    assert run.repository.get(MONTH) == before


def test_the_steps_of_a_completed_month_do_nothing(run: MonthRun, source: ServerSource) -> None:
    load(run, source)
    [planned, *_] = asked(run, force=True).plan(source)
    source.storage.delete(planned.name)

    assert run.fetch(source, planned) is None
    assert run.verify(source, planned) is None
    assert run.stage(source.storage, planned, 0) is None
    run.check_staged([planned])
    assert run.merge(source.storage, planned) is None
    assert run.complete().status is Status.COMPLETED
    assert not source.storage.exists(planned.name)


def test_what_is_published_again_is_loaded_again_and_nothing_else(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    load(run, source)
    publish_again(source, served, Entity.LABELS)

    assert run.pending(source).reason.endswith("published again: labels")
    assert [file.entity for file in fetch(run, source)] == [Entity.LABELS]


def test_what_is_published_again_is_not_lost_when_a_run_fails_before_it_is_loaded(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    load(run, source)
    publish_again(source, served, Entity.LABELS)
    fetch(run, source)
    run.fail("the machine died")

    again = replace(run, identity=OTHER)
    assert again.pending(source).pending
    assert [file.entity for file in fetch(again, source)] == [Entity.LABELS]


def test_an_entity_that_an_earlier_version_loaded_without_its_sha256_is_loaded_again(
    run: MonthRun, source: ServerSource
) -> None:
    load(run, source)
    stats = dict(run.repository.ensure(MONTH).processing_stats["labels"])
    del stats["sha256"]
    run.repository.record_entity_stats(MONTH, Entity.LABELS, stats)

    assert run.pending(source).pending
    assert [file.entity for file in fetch(run, source)] == [Entity.LABELS]


def test_a_merge_that_was_marked_as_a_success_by_hand_does_not_complete_the_month(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    load(run, source)
    publish_again(source, served, Entity.LABELS)
    (planned,) = fetch(run, source)

    with pytest.raises(MonthNotReady, match="labels not merged from the published files"):
        run.complete()
    assert status(run) is Status.PROCESSING

    run.stage(source.storage, planned, 0)
    run.merge(source.storage, planned)
    assert run.complete().status is Status.COMPLETED


def test_what_was_staged_before_a_file_was_published_again_does_not_complete_the_month(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    [planned, *_] = fetch(asked(run, entities=(Entity.LABELS,)), source)
    run = asked(run, entities=(Entity.LABELS,))
    run.stage(source.storage, planned, 0)
    publish_again(source, served, Entity.LABELS)
    fetch(run, source)
    # Its stage task was marked as a success by hand.
    run.merge(source.storage, planned)

    with pytest.raises(MonthNotReady, match="labels not merged"):
        run.complete()


def test_shards_of_different_files_are_staged_again(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    run = asked(run, entities=(Entity.LABELS,), shards=2)
    [planned] = fetch(run, source)
    run.stage(source.storage, planned, 0)
    publish_again(source, served, Entity.LABELS)
    [planned] = fetch(run, source)
    run.stage(source.storage, planned, 1)

    report = run.merge(source.storage, planned)

    assert report is not None
    assert report.sha256 == planned.sha256
    assert run.complete().status is Status.COMPLETED


def test_a_month_completed_without_an_entity_is_pending_for_it(
    run: MonthRun, source: ServerSource
) -> None:
    alone = asked(run, entities=(Entity.LABELS,))
    load(alone, source)

    assert not alone.pending(source).pending
    answer = run.pending(source)

    assert answer.pending
    assert "without artists, masters, releases" in answer.reason
    load(run, source)
    assert len(run.repository.ensure(MONTH).file_checksums) == 4


def test_a_month_that_failed_after_its_merges_is_loaded_again(
    run: MonthRun, source: ServerSource
) -> None:
    load(run, source)
    run.fail("checks: a check failed")
    run.claim()

    assert len(run.plan(source)) == 4


def test_past_the_limit_the_schedule_stops_and_force_goes_on(
    run: MonthRun, source: ServerSource
) -> None:
    for number in range(2):
        failing = replace(run, identity=RunIdentity("a DAG", f"run {number}"))
        failing.claim()
        failing.fail("no disk")

    limited = replace(run, settings=replace(SETTINGS, max_attempts=2))
    with pytest.raises(RetryLimitReached, match=r"failed 2 times.*no disk.*force"):
        limited.pending(source)
    assert run.pending(source).pending
    assert asked(limited, force=True).pending(source).pending


def test_two_runs_do_not_work_on_one_month(run: MonthRun) -> None:
    run.claim()

    with pytest.raises(MonthTaken, match="a run"):
        replace(run, identity=OTHER, is_alive=lambda _run: True).claim()
    assert run.repository.ensure(MONTH).run == RUN


def test_what_a_dead_run_left_is_taken_over(run: MonthRun) -> None:
    run.claim()

    record = replace(run, identity=OTHER).claim()

    assert (record.status, record.run, record.retry_count) == (Status.DOWNLOADING, OTHER, 1)
    with pytest.raises(MonthTaken):
        run.check_staged([])


def test_a_file_that_changed_in_the_storage_is_deleted_and_can_be_fetched_again(
    run: MonthRun, source: ServerSource
) -> None:
    run.claim()
    [planned, *_] = run.plan(source)
    run.fetch(source, planned)
    path = Path(str(source.storage)) / planned.name
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ChecksumMismatch, match="clear its task download"):
        run.verify(source, planned)

    def state() -> FileState:
        return {file.file_name: file.state for file in run.repository.files(MONTH)}[planned.name]

    assert state() is FileState.FAILED
    assert not source.storage.exists(planned.name)
    with pytest.raises(DumpFileMissing, match="All workers must share one"):
        run.verify(source, planned)
    run.fetch(source, planned)
    assert run.verify(source, planned) is not None
    assert state() is FileState.VERIFIED


@pytest.mark.parametrize("looked_before", [False, True])
def test_a_month_costs_six_requests_and_its_files_come_one_after_another(
    run: MonthRun, served: Path, tmp_path: Path, looked_before: bool
) -> None:
    with Mirror(served, behaviour=Behaviour(rate=200_000)) as mirror, make_session() as session:
        source = ServerSource(
            DumpSource(session, mirror.url, limits=QUICK), DumpStorage(tmp_path / "stored")
        )
        run.pending(source)
        run.claim()
        dump = source.find(MONTH) if looked_before else None
        planned = run.plan(source, dump)
        for file in planned:
            run.fetch(source, file)
            run.verify(source, file)
        run.ready(planned)
        seen = mirror.seen
    assert len(seen) == 6
    assert ["prefix=" in seen[0].target, "CHECKSUM" in seen[1].target] == [True, True]
    for one, other in itertools.pairwise(seen):
        assert one.ended is not None
        assert one.ended <= other.at + 0.1  # the last bytes are there before the server is done


def test_a_look_for_a_month_that_is_not_there_costs_one_request(
    run: MonthRun, served: Path, tmp_path: Path
) -> None:
    with Mirror(served) as mirror, make_session() as session:
        source = ServerSource(
            DumpSource(session, mirror.url, limits=QUICK), DumpStorage(tmp_path / "stored")
        )
        with pytest.raises(DumpNotPublished):
            source.find(MONTH.plus(1))
        assert len(mirror.seen) == 1


def test_a_file_that_is_not_what_its_checksum_says_is_failed(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    run.claim()
    [planned, *_] = run.plan(source)
    path = served / planned.name
    path.write_bytes(path.read_bytes()[:-9] + bytes(9))

    with pytest.raises(ChecksumMismatch):
        run.fetch(source, planned)

    states = {file.file_name: file.state for file in run.repository.files(MONTH)}
    assert states[planned.name] is FileState.FAILED


def test_a_month_with_an_unverified_file_is_not_ready(run: MonthRun, source: ServerSource) -> None:
    run.claim()
    planned = run.plan(source)
    for file in planned:
        run.fetch(source, file)
    for file in planned[1:]:
        run.verify(source, file)

    with pytest.raises(MonthNotReady, match=planned[0].name):
        run.ready(planned)


def test_a_task_beside_the_failed_one_leaves_the_row_failed(run: MonthRun) -> None:
    run.claim()
    run.ready([])
    run.fail("releases.stage: killed")

    run.check_staged([])
    record = run.repository.ensure(MONTH)
    assert (record.status, record.error_message) == (Status.FAILED, "releases.stage: killed")

    # The run was cleared, so it has started again since.
    again = replace(run, since=dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=1))
    again.check_staged([])
    assert status(run) is Status.PROCESSING


def test_a_failure_reported_twice_counts_once(run: MonthRun) -> None:
    run.claim()
    run.fail("the first")
    run.fail("the second")

    record = run.repository.ensure(MONTH)
    assert (record.error_message, record.retry_count) == ("the first", 1)


def test_a_step_before_the_claim_is_refused(run: MonthRun) -> None:
    with pytest.raises(IllegalTransition):
        run.take_turn()


def test_cleaning_up_records_what_it_deleted(run: MonthRun, source: ServerSource) -> None:
    load(run, source)
    run = replace(run, settings=replace(SETTINGS, keep_months=0))

    assert asked(run, keep_files=True).clean_up(source.storage).deleted == {}
    report = run.clean_up(source.storage)

    assert len(report.deleted) == 4
    assert {file.state for file in run.repository.files(MONTH)} == {FileState.DELETED}


def test_cleaning_up_leaves_a_month_alone_that_another_run_has_since(
    run: MonthRun, source: ServerSource
) -> None:
    load(run, source)
    later = replace(run, identity=OTHER, settings=replace(SETTINGS, keep_months=0))
    claimed = later.claim()
    stored = len(source.storage.files())

    assert replace(run, settings=later.settings).clean_up(source.storage).deleted == {}
    assert len(source.storage.files()) == stored
    assert run.repository.get(MONTH) == claimed


def test_staging_tables_stay_while_a_month_begins_to_stage(connect: Connect, run: MonthRun) -> None:
    with connect() as conn, advisory_lock(conn, turn_lock(SETTINGS.schema)):
        dropping = threading.Thread(target=run.discard_staging)
        dropping.start()
        dropping.join(0.5)
        assert dropping.is_alive()
    dropping.join(10)
    assert not dropping.is_alive()


def test_months_are_processed_one_after_the_other(connect: Connect, run: MonthRun) -> None:
    run = replace(run, is_alive=lambda _run: True)
    run.claim()
    run.ready([])
    following = replace(asked(run, month=MONTH.plus(1)), identity=OTHER)
    following.claim()
    following.ready([])
    assert following.take_turn() is None

    held = run.take_turn()

    assert held is not None
    assert held.month == MONTH.plus(1)
    assert status(run) is Status.READY_FOR_PROCESSING
    # A run that is gone holds nobody up.
    assert replace(run, is_alive=lambda record: record.run != OTHER).take_turn() is None
    assert status(run) is Status.PROCESSING
