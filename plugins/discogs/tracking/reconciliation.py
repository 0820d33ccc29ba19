"""Questions to the months' rows as a whole, and the rows that dead runs left behind."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from discogs.errors import MonthTaken
from discogs.schema.entities import Entity, Month
from discogs.tracking import transitions
from discogs.tracking.model import MonthRecord, RunIdentity, Status
from discogs.tracking.repository import MonthRepository

log = logging.getLogger(__name__)

# A month that was completed this soon after its first day was loaded as it came out; who loads
# only older months does not follow Discogs, and nothing is late for them.
_FOLLOWED_WITHIN = dt.timedelta(days=62)


def completed(repository: MonthRepository) -> list[Month]:
    """The months that are loaded, oldest first."""
    return [record.month for record in repository.all() if record.status is Status.COMPLETED]


def newest_completed(repository: MonthRepository) -> Month | None:
    return max(completed(repository), default=None)


def of_run(repository: MonthRepository, run: RunIdentity) -> list[MonthRecord]:
    """The rows that a run was the last to move."""
    return [record for record in repository.all() if record.run == run]


def at_work(repository: MonthRepository) -> list[MonthRecord]:
    """The rows that say that a run is at them."""
    return [record for record in repository.all() if record.status.at_work]


def record_failure(
    repository: MonthRepository,
    month: Month,
    run: RunIdentity,
    error_message: str,
    *,
    limit: int | None = None,
    started: dt.datetime | None = None,
    ended: dt.datetime | None = None,
) -> MonthRecord | None:
    """Move a month to ``failed`` for a run, as :func:`discogs.tracking.transitions.fail` does.

    Safe from several callbacks of one failure.

    :returns: None, with nothing changed, when the month is another run's, or the failure is none
        of the row's.
    """
    repository.ensure(month)
    try:
        return repository.change(
            month,
            lambda record, now: transitions.fail(
                record, error_message, run=run, now=now, limit=limit, started=started, ended=ended
            ),
        )
    except MonthTaken as taken:
        log.warning("The failure of %s is not recorded: %s", run, taken)
        return None


def settle(
    repository: MonthRepository, month: Month, run: RunIdentity, entities: Collection[Entity]
) -> MonthRecord | None:
    """Bring a month to rest whose run ended as a success, if it has not come there by itself.

    See :func:`discogs.tracking.transitions.settle`.

    :returns: None when there is nothing to do.
    """
    if repository.get(month) is None:
        return None
    return repository.change(
        month, lambda record, now: transitions.settle(record, entities, run=run, now=now)
    )


def reconcile(
    repository: MonthRepository,
    is_alive: Callable[[RunIdentity], bool],
    error_message: str = "The run ended without a word: killed, stopped or deleted.",
) -> list[MonthRecord]:
    """Move to ``failed`` what runs that are no more left at work.

    :param is_alive: whether a run may still be working; asked once a row.
    :returns: the rows as they are now, of the months that were moved.
    """
    moved = []
    for record in at_work(repository):
        run = record.run
        if run is None or is_alive(run):
            continue
        # In the name of the dead run: if another took the month since, the move is refused.
        after = record_failure(repository, record.month, run, error_message)
        if after is not None:
            log.warning("%s was left %s by %s: now failed", record.month, record.status, run)
            moved.append(after)
    return moved


@dataclass(frozen=True)
class Late:
    """The newest month that should be loaded by now, and is not."""

    month: Month
    status: Status | None
    due: dt.date

    def __str__(self) -> str:
        stands = f"is {self.status}" if self.status is not None else "was not started"
        return f"{self.month} is late: it was due by {self.due} and {stands}."


def late(records: list[MonthRecord], today: dt.date, after_days: int) -> Late | None:
    """Whether the newest month that Discogs should have published is missing.

    :param after_days: days into a month by which its dump should be loaded; the month before is
        expected until then.
    :returns: None also when no month was ever loaded as it came out: a database with past months
        alone is no feed that could be late.
    """
    if not any(_was_followed(record) for record in records):
        return None
    month = Month.of(today)
    if today.day <= after_days:
        month = month.plus(-1)
    statuses = {record.month: record.status for record in records}
    if statuses.get(month) is Status.COMPLETED:
        return None
    return Late(month, statuses.get(month), month.first_day + dt.timedelta(days=after_days))


def _was_followed(record: MonthRecord) -> bool:
    at = record.processing_completed_at
    return at is not None and at.date() - record.month.first_day <= _FOLLOWED_WITHIN
