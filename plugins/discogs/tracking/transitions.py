"""The transitions of a month's status, and how they change its row. Nothing else decides them.

```
not_started → downloading → ready_for_processing → processing → completed
any of them → failed → downloading | ready_for_processing | processing
completed   → downloading (published again) | ready_for_processing | processing (cleared)
backwards   → downloading and ready_for_processing, for a task that is cleared or retried
```
A month that is being loaded belongs to the run that claimed it. No other run changes its status, so
that a task that was declared dead but still runs cannot disturb a later run.
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

#: The message for a run whose tasks failed without recording an error. A task's error that is
#: recorded later, because its process was slower than the end of the run, replaces it.
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
    """Check a transition; staying in a status is legal.

    :raises IllegalTransition: when it is not legal.
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
    """The row after a transition; the same row when nothing changes.

    A transition to the present status comes from a task that is retried, and changes nothing;
    except that the failure of another run is a further failed attempt. Any run may change a month
    that is not being loaded (not started, completed, failed). Only the run that has claimed the
    month may change one that is being loaded, or set a completed one to ``failed``.

    :raises IllegalTransition: when the transition is not legal.
    :raises MonthTaken: when another run has claimed the month.
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
    """The row after a run claims a month; None when another run has claimed it.

    The row is unchanged when the run has claimed the month before.
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
    """The row after a task of a run starts.

    A completed month stays completed. A failed one stays failed until the failed run is restarted:
    the other tasks of that run, which may still be running, do not change the row.

    :param since: when the run was started, or restarted after it had ended.
    :param backwards: whether the month may go back from a later status.
    :raises MonthTaken: when another run has claimed the month.
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

    A run that was ended while it waited for the dump does not count as a failed attempt.

    :param limit: number of failed attempts after which runs are refused, so that a refused run does
        not count as a further attempt.
    :param started: when the run was started or restarted: an earlier failure of the same run was
        another attempt.
    :returns: None when the failure does not concern the row.
    :raises MonthTaken: when another run has claimed the month.
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
    """The row after a check that did not find the dump.

    :returns: None when another run has claimed the month, so that the wait is over.
    """
    if record.status.at_work and not record.is_of(waiting.run):
        return None
    return record.replace(waiting=waiting, updated_at=now)


def stop_waiting(record: MonthRecord, *, run: RunIdentity, now: dt.datetime) -> MonthRecord | None:
    """The row after a run ended its wait; None when another run waits, or none."""
    if record.waiting is None or not record.waiting.run.is_same(run):
        return None
    return record.replace(waiting=None, updated_at=now)


def settle(
    record: MonthRecord, entities: Collection[Entity], *, run: RunIdentity, now: dt.datetime
) -> MonthRecord | None:
    """The row after a run ended as a success without completing the month.

    The run, or some of its tasks, were marked as success by hand. The month becomes ``completed``
    if every entity was merged from the published files, else ``failed``, so that it is loaded
    again.

    :returns: None when the run is no longer loading the month.
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
    """Whether a transition starts an attempt, instead of resuming the last one after downloads."""
    if record.status.at_work:
        return False
    return (
        record.started_at is None or to is Status.DOWNLOADING or record.status is Status.COMPLETED
    )


def _explains(message: str, record: MonthRecord) -> bool:
    return UNEXPLAINED in (record.error_message or "") and UNEXPLAINED not in message


def _as_text(message: str | None) -> str:
    """An error message for the column: PostgreSQL's text cannot hold NUL."""
    text = (message or "").replace("\0", "").strip() or "No reason was given."
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
