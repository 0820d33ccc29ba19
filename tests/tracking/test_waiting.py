"""A run that waits for its dump, before it claims the month."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from discogs.schema.entities import Month
from discogs.tracking import reconciliation, transitions
from discogs.tracking.model import LEASE, RunIdentity, Status, Waiting, WaitReason
from discogs.tracking.report import MonthReport

if TYPE_CHECKING:
    from discogs.tracking.postgres import PostgresMonthRepository

JULY = Month(2026, 7)
RUN = RunIdentity("discogs_monthly", "scheduled__2026-07", "blue")
GREEN = RunIdentity("discogs_monthly", "scheduled__2026-07", "green")
OTHER = RunIdentity("discogs_monthly", "manual__2026-07", "blue")
SINCE = dt.datetime(2026, 7, 1, 6, 0, tzinfo=dt.timezone.utc)
WAITING = Waiting(
    reason=WaitReason.NOT_PUBLISHED,
    message="The dump of 2026-07 is not published.",
    since=SINCE,
    next_look_at=SINCE + dt.timedelta(minutes=30),
    gives_up_at=SINCE + dt.timedelta(hours=20),
    run=RUN,
)


def wait(repository: PostgresMonthRepository) -> None:
    repository.ensure(JULY)
    repository.change(JULY, lambda row, now: transitions.wait(row, WAITING, now=now))


def test_a_wait_is_in_the_row_and_its_report(repository: PostgresMonthRepository) -> None:
    wait(repository)

    record = repository.ensure(JULY)
    assert (record.status, record.waiting, record.run) == (Status.NOT_STARTED, WAITING, None)
    report = MonthReport.of(record)
    assert report.as_dict()["waiting"]["next_look_at"] == "2026-07-01T06:30:00+00:00"
    assert (
        "Waiting since 2026-07-01 06:00 UTC: The dump of 2026-07 is not published. The next check"
        " is at 2026-07-01 06:30 UTC, and the run gives up at 2026-07-02 02:00 UTC. To check now,"
        " clear wait_for_dump of discogs_monthly / scheduled__2026-07." in report.as_text()
    )


@pytest.mark.parametrize("run", [RUN, OTHER])
def test_a_month_that_is_claimed_is_no_longer_waited_for(
    repository: PostgresMonthRepository, run: RunIdentity
) -> None:
    wait(repository)
    claimed = repository.claim(JULY, run)
    assert claimed is not None
    assert claimed.waiting is None

    wait(repository)
    assert (repository.ensure(JULY).waiting is None) is (run == OTHER)


def test_only_the_run_that_waits_ends_its_wait(repository: PostgresMonthRepository) -> None:
    wait(repository)
    for run in (OTHER, GREEN):
        changed = repository.change(
            JULY, lambda row, now, run=run: transitions.stop_waiting(row, run=run, now=now)
        )
        assert changed is None
    repository.change(JULY, lambda row, now: transitions.stop_waiting(row, run=RUN, now=now))
    assert repository.ensure(JULY).waiting is None


def test_a_wait_that_is_ended_by_hand_is_no_failed_attempt(
    repository: PostgresMonthRepository,
) -> None:
    wait(repository)
    record = reconciliation.record_failure(repository, JULY, RUN, "marked as failed")
    assert record is not None
    assert (record.status, record.retry_count, record.waiting) == (Status.FAILED, 0, None)

    reconciliation.record_failure(repository, JULY, OTHER, "a real one")
    wait(repository)
    record = reconciliation.record_failure(repository, JULY, RUN, "marked as failed")
    assert record is not None
    assert (record.retry_count, record.error_message) == (1, "a real one")
    assert record.waiting is None


def test_runs_of_two_airflows_with_the_same_id_are_two_runs(
    repository: PostgresMonthRepository,
) -> None:
    claimed = repository.claim(JULY, RUN)
    assert claimed is not None
    assert claimed.run == RUN
    assert claimed.alive_until == claimed.updated_at + LEASE
    assert repository.claim(JULY, GREEN) is None
    assert reconciliation.record_failure(repository, JULY, GREEN, "not mine") is None
    # Of a version that did not know which Airflow a run is of.
    unnamed = RunIdentity(RUN.dag_id, RUN.run_id)
    assert repository.claim(JULY, unnamed) is not None
    moved = repository.move(JULY, Status.FAILED, run=unnamed, error_message="gone")
    assert moved.alive_until is None
