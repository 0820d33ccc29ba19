"""The steps of a month's run: status, claims, turns and failures."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.database.locking import advisory_lock
from discogs.load.errors import RetryLimitReached
from discogs.load.locks import turn_lock
from discogs.load.run import MonthRun
from discogs.load.source import ServerSource
from discogs.schema.entities import Entity
from discogs.tracking.errors import IllegalTransition, MonthTaken
from discogs.tracking.model import FileState, RunIdentity, Status
from tests.load.conftest import RUN
from tests.load.runs import MONTH, OTHER, SETTINGS, load, status, with_options

pytestmark = pytest.mark.slow


def test_the_steps_of_a_month_and_its_status(
    run: MonthRun, source: ServerSource, served: Path
) -> None:
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


def test_a_completed_month_is_not_loaded_again(run: MonthRun, source: ServerSource) -> None:
    load(run, source)
    before = run.repository.get(MONTH)

    again = replace(run, identity=OTHER)
    answer = again.pending(source)

    assert not answer.pending
    assert "nothing new is published" in answer.reason
    assert run.repository.get(MONTH) == before


def test_the_steps_of_a_completed_month_do_nothing(run: MonthRun, source: ServerSource) -> None:
    load(run, source)
    [planned, *_] = with_options(run, force=True).plan(source)
    source.storage.delete(planned.name)

    assert run.fetch(source, planned) is None
    assert run.verify(source, planned) is None
    assert run.stage(source.storage, planned, 0) is None
    run.check_staged([planned])
    assert run.merge(source.storage, planned) is None
    assert run.complete().status is Status.COMPLETED
    assert not source.storage.exists(planned.name)


def test_a_month_completed_without_an_entity_is_pending_for_it(
    run: MonthRun, source: ServerSource
) -> None:
    alone = with_options(run, entities=(Entity.LABELS,))
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


def test_after_the_limit_of_attempts_a_month_is_loaded_only_with_force(
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
    assert with_options(limited, force=True).pending(source).pending


def test_two_runs_do_not_work_on_one_month(run: MonthRun) -> None:
    run.claim()

    with pytest.raises(MonthTaken, match="a run"):
        replace(run, identity=OTHER, is_alive=lambda _run: True).claim()
    assert run.repository.ensure(MONTH).run == RUN


def test_the_month_of_a_dead_run_is_taken_over(run: MonthRun) -> None:
    run.claim()

    record = replace(run, identity=OTHER).claim()

    assert (record.status, record.run, record.retry_count) == (Status.DOWNLOADING, OTHER, 1)
    with pytest.raises(MonthTaken):
        run.check_staged([])


def test_a_task_that_runs_beside_the_failed_one_does_not_change_the_row(run: MonthRun) -> None:
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
    following = replace(with_options(run, month=MONTH.plus(1)), identity=OTHER)
    following.claim()
    following.ready([])
    assert following.take_turn() is None

    held = run.take_turn()

    assert held is not None
    assert held.month == MONTH.plus(1)
    assert status(run) is Status.READY_FOR_PROCESSING
    # A run that is no longer alive does not block others.
    assert replace(run, is_alive=lambda record: record.run != OTHER).take_turn() is None
    assert status(run) is Status.PROCESSING
