"""Failed, abandoned and late months: changes of tracking rows other than by a run's steps."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from discogs.schema.entities import Entity, Month
from discogs.tracking import transitions
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import MonthRecord, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository

log = logging.getLogger(__name__)

# A month completed within this time after its first day was loaded when it was published. A
# database with older loads only does not follow Discogs, so no dump is late for it.
_FOLLOWED_WITHIN = dt.timedelta(days=62)


def completed(repository: PostgresMonthRepository) -> list[Month]:
    """The months that are loaded, oldest first."""
    return [record.month for record in repository.all() if record.status is Status.COMPLETED]


def of_run(repository: PostgresMonthRepository, run: RunIdentity) -> list[MonthRecord]:
    """The rows whose status a run was the last to change."""
    return [record for record in repository.all() if record.is_of(run)]


def at_work(repository: PostgresMonthRepository) -> list[MonthRecord]:
    """The rows of months that are being loaded, according to their status."""
    return [record for record in repository.all() if record.status.at_work]


def record_failure(
    repository: PostgresMonthRepository,
    month: Month,
    run: RunIdentity,
    error_message: str,
    *,
    limit: int | None = None,
    started: dt.datetime | None = None,
) -> MonthRecord | None:
    """Set a month to ``failed`` for a run, as :func:`discogs.tracking.transitions.fail` does.

    May be called several times for one failure: the first message is kept.

    :returns: None, with nothing changed, when another run has claimed the month, or the failure
        does not concern the row.
    """
    repository.ensure(month)
    try:
        failed = repository.change(
            month,
            lambda record, now: transitions.fail(
                record, error_message, run=run, now=now, limit=limit, started=started
            ),
        )
        if failed is not None:
            repository.fail_downloads(month, failed.error_message or error_message)
        return failed
    except MonthTaken as taken:
        log.warning("The failure of %s is not recorded: %s", run, taken)
        return None


def settle(
    repository: PostgresMonthRepository,
    month: Month,
    run: RunIdentity,
    entities: Collection[Entity],
) -> MonthRecord | None:
    """Complete or fail a month whose run ended as a success without completing it.

    See :func:`discogs.tracking.transitions.settle`.

    :returns: None when there is nothing to do.
    """
    if repository.get(month) is None:
        return None
    return repository.change(
        month, lambda record, now: transitions.settle(record, entities, run=run, now=now)
    )


def reconcile(
    repository: PostgresMonthRepository, is_alive: Callable[[MonthRecord], bool]
) -> list[MonthRecord]:
    """Set the months to ``failed`` whose runs have ended without a result.

    :param is_alive: whether the run of a row may still be running; called once per row.
    :returns: the new rows of these months.
    """
    abandoned = []
    for record in at_work(repository):
        run = record.run
        if run is None or is_alive(record):
            continue
        # As the dead run: if another run has claimed the month since, the change is refused.
        message = "The run ended without reporting a result (killed, stopped or deleted)."
        after = record_failure(repository, record.month, run, message)
        if after is not None:
            log.info(
                "%s was %s in a run that has ended, %s: set to failed",
                record.month,
                record.status,
                run,
            )
            abandoned.append(after)
    return abandoned


@dataclass(frozen=True)
class Late:
    """The newest month that should be loaded by now, but is not.

    :param status: status of the month; None if it has no row.
    :param due: the day by which it should have been loaded.
    """

    month: Month
    status: Status | None
    due: dt.date

    @property
    def is_waited_for(self) -> bool:
        """Whether no run is loading the month: its dump is missing, or its load failed."""
        return self.status is None or not self.status.at_work

    def __str__(self) -> str:
        state = f"is {self.status}" if self.status is not None else "was not started"
        return f"{self.month} is late: it was due by {self.due} and {state}."


def late(records: Iterable[MonthRecord], today: dt.date, after_days: int) -> Late | None:
    """The newest month that Discogs should have published, if it is not loaded.

    :param after_days: days into a month by which its dump should be loaded; until then, the
        previous month is the newest that should be loaded.
    :returns: None also for a database that does not follow Discogs: no run was started for that
        month, and no month was ever loaded when it was published.
    """
    by_month = {record.month: record for record in records}
    month = Month.of(today)
    if today.day <= after_days:
        month = month.plus(-1)
    record = by_month.get(month)
    if record is None and not any(map(_was_followed, by_month.values())):
        return None
    if record is not None and record.status is Status.COMPLETED:
        return None
    due = month.first_day + dt.timedelta(days=after_days)
    return Late(month, record.status if record is not None else None, due)


def _was_followed(record: MonthRecord) -> bool:
    at = record.processing_completed_at
    return at is not None and at.date() - record.month.first_day <= _FOLLOWED_WITHIN
