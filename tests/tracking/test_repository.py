"""The repository: months."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from discogs.schema.entities import Entity, Month
from discogs.tracking.errors import IllegalTransition, MonthTaken, MonthUnknown
from discogs.tracking.model import FileChecksum, RunIdentity, Status

if TYPE_CHECKING:
    from discogs.tracking.postgres import PostgresMonthRepository

JUNE = Month(2026, 6)
JULY = Month(2026, 7)
RUN = RunIdentity("discogs_monthly", "scheduled__2026-07-02")
OTHER = RunIdentity("discogs_monthly", "manual__2026-07-03")
FORWARD = [
    Status.DOWNLOADING,
    Status.READY_FOR_PROCESSING,
    Status.PROCESSING,
    Status.COMPLETED,
]
A, B = "a" * 64, "b" * 64


def bring(repository: PostgresMonthRepository, status: Status, run: RunIdentity = RUN) -> None:
    """Move the month to a status by legal transitions."""
    repository.ensure(JULY)
    if status is Status.FAILED:
        repository.move(JULY, Status.FAILED, run=run, error_message="first")
    elif status is not Status.NOT_STARTED:
        for step in FORWARD[: FORWARD.index(status) + 1]:
            repository.move(JULY, step, run=run)


def test_a_month_that_nobody_asked_for_has_no_row(repository: PostgresMonthRepository) -> None:
    assert repository.get(JULY) is None
    assert repository.all() == []


def test_a_row_begins_not_started_with_a_version_7_id(repository: PostgresMonthRepository) -> None:
    record = repository.ensure(JULY)
    assert (record.month, record.status, record.retry_count) == (JULY, Status.NOT_STARTED, 0)
    assert type(record.id) is uuid.UUID
    assert record.id.version == 7
    assert record.updated_at - record.created_at < dt.timedelta(seconds=1)
    assert record.created_at.utcoffset() == dt.timedelta(0)
    assert (record.dump_date, record.error_message, record.run) == (None, None, None)
    assert (dict(record.file_checksums), dict(record.processing_stats)) == ({}, {})


def test_ensuring_twice_keeps_the_first_row(repository: PostgresMonthRepository) -> None:
    assert repository.ensure(JULY) == repository.ensure(JULY) == repository.get(JULY)


def test_all_lists_the_months_in_order(repository: PostgresMonthRepository) -> None:
    for month in (JULY, Month(2025, 12), JUNE):
        repository.ensure(month)
    assert [record.month for record in repository.all()] == [Month(2025, 12), JUNE, JULY]


def test_a_month_goes_from_not_started_to_completed_with_its_times(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    started = repository.move(JULY, Status.DOWNLOADING, run=RUN)
    assert started.started_at is not None
    assert started.run == RUN
    ready = repository.move(JULY, Status.READY_FOR_PROCESSING, run=RUN)
    assert ready.download_completed_at is not None
    assert ready.download_completed_at >= started.started_at
    assert repository.move(JULY, Status.PROCESSING, run=RUN).processing_completed_at is None
    done = repository.move(JULY, Status.COMPLETED, run=RUN)
    assert done.processing_completed_at is not None
    assert done.started_at == started.started_at
    assert done.download_completed_at == ready.download_completed_at
    assert done.updated_at > started.updated_at
    assert repository.get(JULY) == done


def test_an_illegal_move_names_both_states_and_changes_nothing(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.FAILED)
    before = repository.get(JULY)
    with pytest.raises(IllegalTransition, match="2026-07 is failed and cannot become completed:"):
        repository.move(JULY, Status.COMPLETED, run=RUN)
    assert repository.get(JULY) == before


def test_a_move_to_the_present_status_changes_nothing(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.FAILED)
    before = repository.get(JULY)
    assert repository.move(JULY, Status.FAILED, run=RUN, error_message="again") == before
    assert repository.get(JULY) == before


def test_failing_keeps_the_reason_and_counts_the_attempt_once(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.PROCESSING)
    failed = repository.move(JULY, Status.FAILED, run=RUN, error_message="disk full")
    again = repository.move(JULY, Status.FAILED, run=RUN, error_message="upstream failed")
    assert failed == again
    assert (failed.error_message, failed.retry_count) == ("disk full", 1)
    resumed = repository.move(JULY, Status.PROCESSING, run=RUN)
    assert (resumed.error_message, resumed.retry_count) == (None, 1)
    assert repository.move(JULY, Status.FAILED, run=RUN).retry_count == 2


def test_a_reason_that_the_database_cannot_hold_is_shortened(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.PROCESSING)
    record = repository.move(JULY, Status.FAILED, run=RUN, error_message="a\0b" + "x" * 100_000)
    assert record.error_message is not None
    assert record.error_message.startswith("abxxx")
    assert len(record.error_message) == 8192


def test_the_count_of_failures_survives_completion_and_ends_with_a_new_start(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.FAILED)
    for step in FORWARD:
        record = repository.move(JULY, step, run=RUN)
    assert record.retry_count == 1
    assert repository.move(JULY, Status.DOWNLOADING, run=OTHER).retry_count == 0


def test_a_new_attempt_has_a_new_start_and_a_resumed_one_keeps_its_own(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.PROCESSING)
    first = repository.move(JULY, Status.FAILED, run=RUN)
    resumed = repository.move(JULY, Status.PROCESSING, run=RUN)
    assert resumed.started_at == first.started_at
    assert resumed.download_completed_at == first.download_completed_at
    repository.move(JULY, Status.FAILED, run=RUN)
    restarted = repository.move(JULY, Status.DOWNLOADING, run=RUN)
    assert first.started_at is not None
    assert restarted.started_at is not None
    assert restarted.started_at > first.started_at
    assert restarted.download_completed_at is None


def test_a_month_that_is_being_loaded_is_moved_by_its_own_run_only(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.PROCESSING, run=OTHER)
    before = repository.get(JULY)
    for to in (Status.DOWNLOADING, Status.FAILED):
        with pytest.raises(MonthTaken, match="manual__2026-07-03"):
            repository.move(JULY, to, run=RUN)
    assert repository.get(JULY) == before


def test_a_claim_makes_the_row_and_takes_it(repository: PostgresMonthRepository) -> None:
    record = repository.claim(JULY, RUN)
    assert record is not None
    assert (record.status, record.run) == (Status.DOWNLOADING, RUN)
    assert record == repository.get(JULY)


def test_a_claim_of_a_month_in_another_run_gets_nothing(
    repository: PostgresMonthRepository,
) -> None:
    mine = repository.claim(JULY, RUN)
    assert repository.claim(JULY, OTHER) is None
    assert repository.get(JULY) == mine


def test_a_claim_repeated_by_its_own_run_changes_nothing(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.PROCESSING)
    before = repository.get(JULY)
    assert repository.claim(JULY, RUN) == before
    assert repository.get(JULY) == before


def test_a_month_that_is_not_being_loaded_can_be_claimed(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.COMPLETED)
    again = repository.claim(JULY, OTHER)
    assert again is not None
    assert (again.status, again.run) == (Status.DOWNLOADING, OTHER)


def test_an_unlisted_file_counts_by_what_was_computed(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    record = repository.record_published(JULY, None, {"artists": A, "labels": None})
    assert record.published == {"artists": A}
    assert record.file_checksums["labels"] == FileChecksum(None)
    record = repository.record_checksums(JULY, {"labels": FileChecksum(None, B, 5)})
    assert record.published == {"artists": A, "labels": B}
    assert record.file_checksums["labels"].is_unlisted
    assert record.file_checksums["labels"].is_right


def test_an_entity_is_loaded_when_its_rows_come_from_what_is_published(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    repository.record_entity_stats(JULY, Entity.LABELS, {"sha256": A})
    repository.record_entity_stats(JULY, Entity.ARTISTS, {"read": 1})
    record = repository.record_published(JULY, None, {"labels": A, "artists": B})
    entities = [Entity.LABELS, Entity.ARTISTS, Entity.MASTERS]
    assert record.not_loaded(entities) == [Entity.ARTISTS, Entity.MASTERS]
    assert record.not_loaded([Entity.LABELS], [B]) == [Entity.LABELS]


def test_of_runs_that_claim_one_month_at_once_one_gets_it(
    repository: PostgresMonthRepository,
) -> None:
    runs = [RunIdentity("discogs_monthly", f"run {number}") for number in range(8)]
    with ThreadPoolExecutor(len(runs)) as pool:
        claims = list(pool.map(lambda run: repository.claim(JULY, run), runs))
    won = [record for record in claims if record is not None]
    assert len(won) == 1
    assert repository.get(JULY) == won[0]


def test_of_failures_reported_at_the_same_time_one_counts(
    repository: PostgresMonthRepository,
) -> None:
    bring(repository, Status.PROCESSING)
    with ThreadPoolExecutor(8) as pool:
        moved = [
            pool.submit(repository.move, JULY, Status.FAILED, run=RUN, error_message="lost")
            for _ in range(8)
        ]
        assert {future.result().retry_count for future in moved} == {1}


def test_the_same_results_of_checks_again_leave_the_row_as_it_is(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    results = [{"name": "counts", "passed": True, "value": 3, "detail": "rows"}]
    record = repository.record_checks(JULY, results)
    assert repository.record_checks(JULY, results) == record
    assert repository.record_checks(JULY, []).updated_at > record.updated_at


def test_stats_are_kept_entity_by_entity_and_replaced_by_newer_ones(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    repository.record_entity_stats(JULY, Entity.LABELS, {"read": 1, "seconds": 0.5, "x": [1, 2]})
    repository.record_entity_stats(JULY, Entity.ARTISTS, {"read": 2})
    record = repository.record_entity_stats(JULY, Entity.ARTISTS, {"read": 3})
    assert record.processing_stats == {
        "labels": {"read": 1, "seconds": 0.5, "x": [1, 2]},
        "artists": {"read": 3},
    }
    assert record == repository.get(JULY)


def test_what_has_no_row_cannot_be_changed(repository: PostgresMonthRepository) -> None:
    for change in (
        lambda: repository.move(JULY, Status.DOWNLOADING, run=RUN),
        lambda: repository.record_published(JULY, None, {}),
        lambda: repository.record_checksums(JULY, {}),
        lambda: repository.record_entity_stats(JULY, Entity.LABELS, {}),
        lambda: repository.record_file(JULY, "artists", bytes_done=1),
    ):
        with pytest.raises(MonthUnknown, match="2026-07"):
            change()
