"""The files of a month's run: fetched, verified, published again and deleted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from discogs.dumps.errors import ChecksumMismatch, DumpFileMissing, DumpNotPublished
from discogs.dumps.source import DumpSource, make_session
from discogs.dumps.storage import DumpStorage
from discogs.load.errors import MonthNotReady
from discogs.load.run import MonthRun
from discogs.load.source import ServerSource
from discogs.sample.mirror import Behaviour, Mirror
from discogs.schema.entities import Entity
from discogs.tracking.model import FileState, Status
from tests.load.runs import (
    MONTH,
    OTHER,
    QUICK,
    SETTINGS,
    fetch,
    load,
    publish_again,
    status,
    with_options,
)

pytestmark = pytest.mark.slow


def test_the_row_of_a_file_that_cannot_be_fetched_has_the_error_and_the_attempts(
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


def test_only_files_that_were_published_again_are_loaded_again(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    load(run, source)
    publish_again(source, served, Entity.LABELS)

    assert run.pending(source).reason.endswith("published again: labels")
    assert [file.entity for file in fetch(run, source)] == [Entity.LABELS]


def test_a_file_that_was_published_again_is_loaded_after_a_run_failed_before_it(
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


def test_rows_staged_from_a_replaced_file_do_not_complete_the_month(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    [planned, *_] = fetch(with_options(run, entities=(Entity.LABELS,)), source)
    run = with_options(run, entities=(Entity.LABELS,))
    run.stage(source.storage, planned, 0)
    publish_again(source, served, Entity.LABELS)
    fetch(run, source)
    # Somebody has marked its stage task as a success.
    run.merge(source.storage, planned)

    with pytest.raises(MonthNotReady, match="labels not merged"):
        run.complete()


def test_shards_of_different_files_are_staged_again(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
    run = with_options(run, entities=(Entity.LABELS,), shards=2)
    [planned] = fetch(run, source)
    run.stage(source.storage, planned, 0)
    publish_again(source, served, Entity.LABELS)
    [planned] = fetch(run, source)
    run.stage(source.storage, planned, 1)

    report = run.merge(source.storage, planned)

    assert report is not None
    assert report.sha256 == planned.sha256
    assert run.complete().status is Status.COMPLETED


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
def test_a_month_takes_six_requests_and_its_files_are_fetched_one_after_another(
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


def test_looking_for_an_unpublished_month_takes_one_request(
    run: MonthRun, served: Path, tmp_path: Path
) -> None:
    with Mirror(served) as mirror, make_session() as session:
        source = ServerSource(
            DumpSource(session, mirror.url, limits=QUICK), DumpStorage(tmp_path / "stored")
        )
        with pytest.raises(DumpNotPublished):
            source.find(MONTH.plus(1))
        assert len(mirror.seen) == 1


def test_a_file_with_a_wrong_checksum_is_failed(
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


def test_cleaning_up_records_what_it_deleted(run: MonthRun, source: ServerSource) -> None:
    load(run, source)
    run = replace(run, settings=replace(SETTINGS, keep_months=0))

    assert with_options(run, keep_files=True).clean_up(source.storage).deleted == {}
    report = run.clean_up(source.storage)

    assert len(report.deleted) == 4
    assert {file.state for file in run.repository.files(MONTH)} == {FileState.DELETED}


def test_cleaning_up_does_not_touch_a_month_that_another_run_has_claimed(
    run: MonthRun, source: ServerSource
) -> None:
    load(run, source)
    later = replace(run, identity=OTHER, settings=replace(SETTINGS, keep_months=0))
    claimed = later.claim()
    stored = len(source.storage.files())

    assert replace(run, settings=later.settings).clean_up(source.storage).deleted == {}
    assert len(source.storage.files()) == stored
    assert run.repository.get(MONTH) == claimed
