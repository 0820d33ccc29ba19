from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

import pytest

from discogs.schema.entities import Entity, Month
from discogs.tracking import reconciliation
from discogs.tracking.model import MonthRecord, RunIdentity, Status

if TYPE_CHECKING:
    from discogs.tracking.postgres import PostgresMonthRepository

MAY, JUNE, JULY = Month(2026, 5), Month(2026, 6), Month(2026, 7)
RUN, OTHER = RunIdentity("discogs_monthly", "one"), RunIdentity("discogs_monthly", "two")
FORWARD = (Status.READY_FOR_PROCESSING, Status.PROCESSING, Status.COMPLETED)


def complete(repository: PostgresMonthRepository, month: Month, run: RunIdentity = RUN) -> None:
    repository.claim(month, run)
    for status in FORWARD:
        repository.move(month, status, run=run)


def test_the_completed_months_are_listed(repository: PostgresMonthRepository) -> None:
    complete(repository, JUNE)
    complete(repository, MAY)
    repository.claim(JULY, RUN)
    assert reconciliation.completed(repository) == [MAY, JUNE]


def test_a_run_finds_its_month(repository: PostgresMonthRepository) -> None:
    complete(repository, MAY, OTHER)
    repository.claim(JUNE, RUN)
    assert [record.month for record in reconciliation.of_run(repository, RUN)] == [JUNE]


def test_a_failure_that_is_reported_twice_is_recorded_once(
    repository: PostgresMonthRepository,
) -> None:
    repository.claim(JUNE, RUN)
    first = reconciliation.record_failure(repository, JUNE, RUN, "the cause")
    second = reconciliation.record_failure(repository, JUNE, RUN, "an effect")
    assert first == second
    assert first is not None
    assert (first.status, first.error_message, first.retry_count) == (
        Status.FAILED,
        "the cause",
        1,
    )


def test_a_failure_before_anything_was_done_has_its_row(
    repository: PostgresMonthRepository,
) -> None:
    record = reconciliation.record_failure(repository, JUNE, RUN, "no answer")
    assert record is not None
    assert (record.status, record.run) == (Status.FAILED, RUN)


def test_the_failure_of_a_run_that_does_not_have_the_month_changes_nothing(
    repository: PostgresMonthRepository,
) -> None:
    repository.claim(JUNE, OTHER)
    before = repository.get(JUNE)
    assert reconciliation.record_failure(repository, JUNE, RUN, "not mine") is None
    assert repository.get(JUNE) == before


def test_months_of_dead_runs_become_failed(
    repository: PostgresMonthRepository,
) -> None:
    repository.claim(MAY, RUN)
    repository.claim(JUNE, OTHER)
    complete(repository, JULY, RUN)
    moved = reconciliation.reconcile(repository, lambda record: record.run == OTHER)
    assert [(record.month, record.status) for record in moved] == [(MAY, Status.FAILED)]
    assert [record.status for record in repository.all()] == [
        Status.FAILED,
        Status.DOWNLOADING,
        Status.COMPLETED,
    ]
    assert reconciliation.reconcile(repository, lambda record: record.run == OTHER) == []
    assert repository.claim(MAY, OTHER) is not None


def record(month: Month, status: Status, completed_on: dt.date | None = None) -> MonthRecord:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    at = completed_on and dt.datetime.combine(completed_on, dt.time(), dt.timezone.utc)
    return MonthRecord(
        id=uuid.UUID(int=0),
        month=month,
        status=status,
        created_at=now,
        updated_at=now,
        processing_completed_at=at,
    )


FOLLOWED = record(JUNE, Status.COMPLETED, dt.date(2026, 6, 3))


@pytest.mark.parametrize(
    ("today", "late"),
    [
        (dt.date(2026, 6, 30), None),
        (dt.date(2026, 7, 10), None),
        (dt.date(2026, 7, 11), JULY),
        (dt.date(2026, 8, 1), JULY),
        (dt.date(2026, 8, 11), Month(2026, 8)),
    ],
)
def test_a_month_is_late_some_days_after_it_began(today: dt.date, late: Month | None) -> None:
    found = reconciliation.late([FOLLOWED], today, 10)
    assert (found and found.month) == late


def test_a_late_month_says_since_when_and_its_status() -> None:
    records = [FOLLOWED, record(JULY, Status.DOWNLOADING)]
    assert str(reconciliation.late(records, dt.date(2026, 7, 20), 10)) == (
        "2026-07 is late: it was due by 2026-07-11 and is downloading."
    )
    assert "was not started" in str(reconciliation.late([FOLLOWED], dt.date(2026, 7, 20), 10))


def test_no_month_is_late_in_a_database_with_past_months_only() -> None:
    backfilled = record(Month(2018, 5), Status.COMPLETED, dt.date(2026, 7, 19))
    assert reconciliation.late([], dt.date(2026, 7, 20), 10) is None
    assert reconciliation.late([backfilled], dt.date(2026, 7, 20), 10) is None
    assert reconciliation.late([backfilled, FOLLOWED], dt.date(2026, 7, 20), 10) is not None


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.FAILED, Status.DOWNLOADING])
def test_a_month_that_a_run_was_started_for_is_late_in_a_fresh_installation(
    status: Status,
) -> None:
    found = reconciliation.late([record(JULY, status)], dt.date(2026, 7, 20), 10)
    assert found is not None
    assert (found.month, found.status, found.due) == (JULY, status, dt.date(2026, 7, 11))
    assert found.is_waited_for == (status is not Status.DOWNLOADING)


def test_a_restarted_run_fails_again(repository: PostgresMonthRepository) -> None:
    first = reconciliation.record_failure(repository, JUNE, RUN, "the first cause")
    assert first is not None
    later = first.updated_at + dt.timedelta(microseconds=1)

    again = reconciliation.record_failure(repository, JUNE, RUN, "the second cause", started=later)

    assert again is not None
    assert (again.error_message, again.retry_count) == ("the second cause", 2)


def test_past_the_limit_another_runs_failure_is_no_further_attempt(
    repository: PostgresMonthRepository,
) -> None:
    reconciliation.record_failure(repository, JUNE, OTHER, "the cause", limit=1)
    before = repository.get(JUNE)

    assert reconciliation.record_failure(repository, JUNE, RUN, "tried too often", limit=1) is None
    assert repository.get(JUNE) == before
    forced = repository.claim(JUNE, RUN)
    assert forced is not None
    counted = reconciliation.record_failure(repository, JUNE, RUN, "once more", limit=1)
    assert counted is not None
    assert counted.retry_count == 2


def test_a_run_that_ended_as_a_success_is_completed_only_if_all_is_merged(
    repository: PostgresMonthRepository,
) -> None:
    both = [Entity.LABELS, Entity.ARTISTS]
    for month in (MAY, JUNE):
        repository.claim(month, RUN)
        repository.record_published(month, None, {"labels.gz": "a" * 64, "artists.gz": "b" * 64})
        repository.record_entity_stats(month, Entity.LABELS, {"sha256": "a" * 64})
    repository.record_entity_stats(JUNE, Entity.ARTISTS, {"sha256": "b" * 64})

    lacking, whole = (reconciliation.settle(repository, month, RUN, both) for month in (MAY, JUNE))

    assert lacking is not None
    assert lacking.status is Status.FAILED
    assert "artists of 2026-05 were not loaded" in str(lacking.error_message)
    assert whole is not None
    assert whole.status is Status.COMPLETED
    # Not being loaded, of another run, or without a row: nothing to do.
    assert reconciliation.settle(repository, JUNE, RUN, both) is None
    repository.claim(MAY, OTHER)
    assert reconciliation.settle(repository, MAY, RUN, both) is None
    assert reconciliation.settle(repository, JULY, RUN, both) is None
