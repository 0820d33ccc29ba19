"""The only place that decides which status may follow which, and what a move does to the row.

```
not_started → downloading → ready_for_processing → processing → completed
any of them → failed → downloading | ready_for_processing | processing
completed   → downloading (published again) | ready_for_processing | processing (cleared)
backwards   → downloading and ready_for_processing, for a task that is cleared or tried again
```
A month at work belongs to the run that claimed it. No other run moves it, so a task that was
declared dead and still runs cannot disturb a later run.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection

from discogs.schema.entities import Entity
from discogs.tracking.errors import IllegalTransition, MonthTaken
from discogs.tracking.model import AT_WORK, LEASE, MonthRecord, RunIdentity, Status, Waiting

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 8192  # characters

#: What the row says of a run whose tasks have failed and have left no error. The error of a task
#: that is recorded later, since its process was slower than the run's end, takes its place.
UNEXPLAINED = "failed without an error message"

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
    # To the status of the cleared task's step; completed comes through processing.
    Status.FAILED: frozenset(
        {Status.DOWNLOADING, Status.READY_FOR_PROCESSING, Status.PROCESSING}
    ),
}  # fmt: skip


def check(month: object, current: Status, to: Status) -> None:
    """Let a legal move pass; staying is legal.

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

    A run that moves a month to the status it has is a task that is tried again, and changes
    nothing; except that the failure of another run is a further failed attempt. Any run may move
    a month that is at rest (not started, completed, failed). Only the run that has the month may
    move one at work, or a completed one to ``failed``.

    :raises IllegalTransition: naming both states.
    :raises MonthTaken: naming the run that has the month.
    """
    check(record.month, record.status, to)
    others = record.run is not None and not record.is_of(run)
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
        "airflow": run.airflow,
        "alive_until": now + LEASE if to.at_work and run.airflow is not None else None,
        "waiting": None,
        "updated_at": now,
        "error_message": None,
    }
    if to is Status.FAILED:
        changes["error_message"] = _as_text(error_message)
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


def claim(record: MonthRecord, *, run: RunIdentity, now: dt.datetime) -> MonthRecord | None:
    """The row after a run claims a month; None when another run has it at work.

    A run that has the month at work already keeps it as it is.
    """
    if record.status.at_work:
        return record if record.is_of(run) else None
    return move(record, Status.DOWNLOADING, run=run, now=now)


def enter(
    record: MonthRecord,
    to: Status,
    *,
    run: RunIdentity,
    since: dt.datetime,
    now: dt.datetime,
    backwards: bool = True,
) -> MonthRecord:
    """The row after a task of a run begins its work.

    A completed month stays completed. A failed one stays failed until the run that failed is
    started again: the other tasks of that run, which may still be running, leave the row alone.

    :param since: when the run was started, or started again after it had ended.
    :param backwards: whether the month may go back from a later status.
    :raises MonthTaken: naming the run that has the month.
    """
    if record.status is Status.COMPLETED:
        return record
    if record.status.at_work and record.run is not None and not record.is_of(run):
        raise MonthTaken(record.month, str(record.status), str(record.run))
    if record.status is Status.FAILED and record.is_of(run) and record.updated_at >= since:
        log.info("%s stays failed: another task of this run has failed.", record.month)
        return record
    if record.status.at_work and not backwards:
        to = max(to, record.status, key=AT_WORK.index)
    return move(record, to, run=run, now=now)


def fail(
    record: MonthRecord,
    error_message: str,
    *,
    run: RunIdentity,
    now: dt.datetime,
    limit: int | None = None,
    started: dt.datetime | None = None,
) -> MonthRecord | None:
    """The row after the failure of a run, which may be reported late and more than once.

    A run that was ended while it waited for the dump has tried nothing: that is no failed attempt.

    :param limit: failed attempts after which no run tries the month any more, so that another
        run, which was refused for that, is no further attempt.
    :param started: when the run was started, or started again: an earlier failure of the same run
        was another attempt.
    :returns: None when the failure does not concern the row.
    :raises MonthTaken: naming the run that has the month.
    """
    if record.waiting is not None and record.waiting.run.is_same(run):
        if record.status is not Status.NOT_STARTED:
            return record.replace(waiting=None, updated_at=now)
        failed = move(record, Status.FAILED, run=run, now=now, error_message=error_message)
        return failed.replace(retry_count=record.retry_count)
    if record.is_of(run):
        again = started is not None and record.updated_at < started
        if record.status is Status.FAILED and not again and _explains(error_message, record):
            return record.replace(error_message=_as_text(error_message), updated_at=now)
        if record.status is Status.FAILED and again:
            record = move(record, Status.DOWNLOADING, run=run, now=now)  # as a further attempt
    elif record.status is Status.FAILED and limit is not None and record.retry_count >= limit:
        log.info("%s has failed %d times: no further attempt", record.month, record.retry_count)
        return None
    return move(record, Status.FAILED, run=run, now=now, error_message=error_message)


def wait(record: MonthRecord, waiting: Waiting, *, now: dt.datetime) -> MonthRecord | None:
    """The row after a look for the dump that found none.

    :returns: None when another run has the month: it is not waited for any more.
    """
    if record.status.at_work and not record.is_of(waiting.run):
        return None
    return record.replace(waiting=waiting, updated_at=now)


def stop_waiting(record: MonthRecord, *, run: RunIdentity, now: dt.datetime) -> MonthRecord | None:
    """The row after a run has ended its wait; None when it is not the run that waits."""
    if record.waiting is None or not record.waiting.run.is_same(run):
        return None
    return record.replace(waiting=None, updated_at=now)


def settle(
    record: MonthRecord, entities: Collection[Entity], *, run: RunIdentity, now: dt.datetime
) -> MonthRecord | None:
    """The row after a run ended as a success and left the month at work.

    The run, or some of its tasks, were marked as a success by hand. The month becomes
    ``completed`` if every entity is merged from the bytes that are published, and else
    ``failed``, so that it is tried again.

    :returns: None when the run does not have the month any more.
    """
    if not record.is_of(run) or not record.status.at_work:
        return None
    lacking = record.not_loaded(entities)
    if lacking:
        message = (
            f"The run ended as a success, but {', '.join(map(str, lacking))} of {record.month}"
            " were not loaded. Clear all its tasks, or trigger the month again."
        )
        return move(record, Status.FAILED, run=run, now=now, error_message=message)
    for to in AT_WORK[AT_WORK.index(record.status) + 1 :]:
        record = move(record, to, run=run, now=now)
    return move(record, Status.COMPLETED, run=run, now=now)


def _begins(record: MonthRecord, to: Status) -> bool:
    """Whether a move begins an attempt, rather than resuming the last one after its downloads."""
    if record.status.at_work:
        return False
    return (
        record.started_at is None or to is Status.DOWNLOADING or record.status is Status.COMPLETED
    )


def _explains(message: str, record: MonthRecord) -> bool:
    return UNEXPLAINED in (record.error_message or "") and UNEXPLAINED not in message


def _as_text(message: str | None) -> str:
    """An error message that the column takes: PostgreSQL's text has no NUL."""
    text = (message or "").replace("\0", "").strip() or "No reason was given."
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
