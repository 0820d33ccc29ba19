"""Which status may follow which, and what a move does to the rest of the row: nowhere else.

```
not_started → downloading → ready_for_processing → processing → completed
any of them → failed → downloading | ready_for_processing | processing
completed   → downloading (published again) | ready_for_processing | processing (cleared)
backwards   → downloading and ready_for_processing, for a task that is cleared or tried again
```
A month at work belongs to the run that took it: no other run moves it, so a task that was given
up for dead and lives on cannot spoil what a later run does.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection

from discogs.errors import IllegalTransition, MonthTaken
from discogs.schema.entities import Entity
from discogs.tracking.model import MonthRecord, RunIdentity, Status

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 8192
# The order in which a run goes through them.
_AT_WORK = (Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING)

LEGAL: dict[Status, frozenset[Status]] = {
    # A run may fail before it has downloaded anything.
    Status.NOT_STARTED: frozenset({Status.DOWNLOADING, Status.FAILED}),
    Status.DOWNLOADING: frozenset({Status.READY_FOR_PROCESSING, Status.FAILED}),
    Status.READY_FOR_PROCESSING: frozenset({Status.PROCESSING, Status.DOWNLOADING, Status.FAILED}),
    Status.PROCESSING: frozenset(
        {Status.COMPLETED, Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.FAILED}
    ),
    # To failed: a task after the merge (checks, cleanup) failed, or the run was marked so.
    Status.COMPLETED: frozenset(
        {Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING, Status.FAILED}
    ),
    # To where the cleared task stands; completed comes through processing.
    Status.FAILED: frozenset(
        {Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING}
    ),
}  # fmt: skip


def check(month: object, current: Status, to: Status) -> None:
    """Nothing when a move is legal; staying is.

    :raises IllegalTransition: naming both states.
    """
    if to is not current and to not in LEGAL[current]:
        raise IllegalTransition(month, str(current), str(to), sorted(map(str, LEGAL[current])))


def move(
    record: MonthRecord,
    to: Status,
    *,
    run: RunIdentity,
    now: dt.datetime,
    error_message: str | None = None,
) -> MonthRecord:
    """The row after a move; the same row when there is nothing to do.

    A run that moves a month to where it stands already is a task tried again; but a failure that
    another run had before is not this run's, which is a further failed attempt. From a month at
    rest (not started, completed, failed) any run may start; of a month at work, and to ``failed``
    from a completed one, only the run that has it.

    :raises IllegalTransition: naming both states.
    :raises MonthTaken: naming the run that has the month.
    """
    check(record.month, record.status, to)
    others = record.run is not None and record.run != run
    if others and (
        record.status.at_work or (record.status is Status.COMPLETED and to is Status.FAILED)
    ):
        raise MonthTaken(record.month, str(record.status), str(record.run))
    if to is record.status and not (others and to is Status.FAILED):
        return record
    changes: dict[str, object] = {
        "status": to,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "updated_at": now,
        "error_message": None,
    }
    if to is Status.FAILED:
        changes["error_message"] = _told(error_message)
        changes["retry_count"] = record.retry_count + 1
    elif to is Status.COMPLETED:
        changes["processing_completed_at"] = now
    else:
        changes["processing_completed_at"] = None
        if _begins(record, to):
            changes["started_at"] = now
        if to is Status.DOWNLOADING:
            changes["download_completed_at"] = None
        if to is Status.READY_FOR_PROCESSING:
            changes["download_completed_at"] = now
        if record.status is Status.COMPLETED:
            changes["retry_count"] = 0
    return record.replace(**changes)


def claim(
    record: MonthRecord,
    to: Status,
    *,
    run: RunIdentity,
    from_statuses: Collection[Status],
    now: dt.datetime,
) -> MonthRecord | None:
    """The row after a run takes a month; None when it may not.

    A run that has the month at work already keeps it as it stands.
    """
    if record.status.at_work and record.run == run:
        return record
    if record.status.at_work or record.status not in from_statuses:
        return None
    return move(record, to, run=run, now=now)


def enter(
    record: MonthRecord,
    to: Status,
    *,
    run: RunIdentity,
    since: dt.datetime,
    now: dt.datetime,
    backwards: bool = True,
) -> MonthRecord:
    """The row after a task of a run begins its work, unless the row is where it shall stay.

    A completed month stays completed. One that failed stays failed until the run that failed is
    started again: its other tasks, which go on, leave the row alone.

    :param since: when the run was started, or started again after it had ended.
    :param backwards: whether a later status gives way.
    :raises MonthTaken: naming the run that has the month.
    """
    if record.status is Status.COMPLETED:
        return record
    if record.status.at_work and record.run not in (None, run):
        raise MonthTaken(record.month, str(record.status), str(record.run))
    if record.status is Status.FAILED and record.run == run and record.updated_at >= since:
        log.info("%s stays failed: another task of this run has failed.", record.month)
        return record
    if record.status.at_work and not backwards:
        to = max(to, record.status, key=_AT_WORK.index)
    return move(record, to, run=run, now=now)


def fail(
    record: MonthRecord,
    error_message: str,
    *,
    run: RunIdentity,
    now: dt.datetime,
    limit: int | None = None,
    started: dt.datetime | None = None,
    ended: dt.datetime | None = None,
) -> MonthRecord | None:
    """The row after a failure of a run is told, perhaps late, and perhaps not for the first time.

    :param limit: failed attempts after which no run tries any more, so that the failure of
        another run is none of the month's.
    :param started: when the run began, or began again: what failed before is told anew.
    :param ended: when the run ended: what the row has seen since, of this run begun again or of
        another, is newer than this failure.
    :returns: None when the failure is none of the row's.
    :raises MonthTaken: naming the run that has the month.
    """
    if ended is not None and record.updated_at > ended:
        return None
    if record.run == run:
        again = started is not None and record.updated_at < started
        if record.status is Status.FAILED and again:
            record = move(record, Status.DOWNLOADING, run=run, now=now)  # as a further attempt
    elif record.status is Status.FAILED and limit is not None and record.retry_count >= limit:
        log.info("%s has failed %d times: no further attempt", record.month, record.retry_count)
        return None
    return move(record, Status.FAILED, run=run, now=now, error_message=error_message)


def settle(
    record: MonthRecord, entities: Collection[Entity], *, run: RunIdentity, now: dt.datetime
) -> MonthRecord | None:
    """The row after a run ended as a success that has left it at work.

    Somebody has marked the run, or some of its tasks, as done: the month is ``completed`` if all
    that it should load is merged from the bytes that are published, and else ``failed``, so that
    it is tried again.

    :returns: None when the run is not at it any more.
    """
    if record.run != run or not record.status.at_work:
        return None
    published = set(record.expected_checksums.values())
    stats = record.processing_stats
    lacking = [
        str(entity)
        for entity in entities
        if stats.get(str(entity), {}).get("sha256") not in published
    ]
    if lacking:
        message = (
            f"The run ended as a success, but {', '.join(lacking)} of {record.month} were not"
            " loaded. Clear all its tasks, or trigger the month again."
        )
        return move(record, Status.FAILED, run=run, now=now, error_message=message)
    for to in _AT_WORK[_AT_WORK.index(record.status) + 1 :]:
        record = move(record, to, run=run, now=now)
    return move(record, Status.COMPLETED, run=run, now=now)


def _begins(record: MonthRecord, to: Status) -> bool:
    """Whether a move begins an attempt, and does not go on with the last one's files."""
    if record.status.at_work:
        return False
    return (
        record.started_at is None or to is Status.DOWNLOADING or (record.status is Status.COMPLETED)
    )


def _told(message: str | None) -> str:
    """An error message as the column takes it: PostgreSQL's text has no NUL."""
    text = (message or "").replace("\0", "").strip() or "No reason was given."
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
