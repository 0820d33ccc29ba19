"""The transitions of a month's row, without a database."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import Any

import pytest

from discogs.schema.entities import Entity, Month
from discogs.tracking.errors import IllegalTransition, MonthTaken
from discogs.tracking.model import (
    LEASE,
    FileChecksum,
    MonthRecord,
    RunIdentity,
    Status,
    Waiting,
    WaitReason,
)
from discogs.tracking.transitions import (
    LEGAL,
    UNEXPLAINED,
    check,
    claim,
    enter,
    fail,
    move,
    settle,
    stop_waiting,
    wait,
)

NOT_STARTED, DOWNLOADING, READY, PROCESSING, COMPLETED, FAILED = Status
AT_WORK = [DOWNLOADING, READY, PROCESSING]
MAY = Month(2026, 5)
RUN = RunIdentity("discogs_monthly", "one", "blue")
OTHER = RunIdentity("discogs_monthly", "two", "blue")
COMMAND = RunIdentity("command line", "three")
THEN, SINCE, NOW = (dt.datetime(2026, 5, day, tzinfo=dt.timezone.utc) for day in (1, 2, 3))
WAITING = Waiting(
    reason=WaitReason.NOT_PUBLISHED,
    message="not published",
    since=THEN,
    next_look_at=NOW,
    gives_up_at=NOW,
    run=RUN,
)


def row(status: Status, run: RunIdentity | None = RUN, **values: Any) -> MonthRecord:
    """A month's row as a run left it."""
    if run is not None:
        values |= {"dag_id": run.dag_id, "run_id": run.run_id, "airflow": run.airflow}
    record = MonthRecord(
        id=uuid.UUID(int=7), month=MAY, status=status, created_at=THEN, updated_at=THEN
    )
    return record.replace(**values)


def changes(before: MonthRecord, after: MonthRecord | None) -> dict[str, Any]:
    """What a move changed in a row, apart from when it was updated."""
    assert after is not None
    assert after.updated_at == (NOW if after is not before else THEN)
    old, new = vars(before), vars(after)
    return {name: new[name] for name in new if name != "updated_at" and new[name] != old[name]}


def test_every_status_has_its_legal_moves() -> None:
    """The diagram at the top of the module, transition by transition."""
    legal = {
        NOT_STARTED: {DOWNLOADING, FAILED},
        DOWNLOADING: {READY, FAILED},
        READY: {PROCESSING, DOWNLOADING, FAILED},
        PROCESSING: {COMPLETED, DOWNLOADING, READY, FAILED},
        COMPLETED: {DOWNLOADING, READY, PROCESSING, FAILED},
        FAILED: {DOWNLOADING, READY, PROCESSING},
    }
    assert legal == LEGAL
    for current in Status:
        for to in Status:
            if to is current or to in legal[current]:
                check(MAY, current, to)
                continue
            allowed = ", ".join(sorted(map(str, legal[current])))
            message = f"2026-05 is {current} and cannot become {to}: .* it goes to {allowed}."
            with pytest.raises(IllegalTransition, match=message):
                check(MAY, current, to)
            with pytest.raises(IllegalTransition, match=message):
                move(row(current), to, run=RUN, now=NOW)


@pytest.mark.parametrize("status", Status)
def test_completion_is_within_reach_of_every_status(status: Status) -> None:
    reached, ahead = set(), {status}
    while ahead:
        reached |= ahead
        ahead = set().union(*(LEGAL[one] for one in ahead)) - reached
    assert Status.COMPLETED in reached


@pytest.mark.parametrize("status", Status)
def test_a_month_left_in_any_status_can_be_brought_to_completed(status: Status) -> None:
    left = move(row(status), FAILED, run=RUN, now=NOW, error_message="killed")
    record = claim(left, run=OTHER, now=NOW)
    assert record is not None
    for to in [*AT_WORK, COMPLETED]:
        record = move(record, to, run=OTHER, now=NOW)
    assert (record.status, record.error_message, record.run) == (COMPLETED, None, OTHER)


OWN = {"dag_id": RUN.dag_id, "run_id": RUN.run_id, "airflow": "blue"}
ALIVE = {"alive_until": NOW + LEASE}
OLD = {"started_at": THEN, "download_completed_at": THEN, "processing_completed_at": THEN}


@pytest.mark.parametrize(
    ("before", "to", "expected"),
    [
        pytest.param(
            row(NOT_STARTED, None, waiting=WAITING),
            DOWNLOADING,
            {**OWN, **ALIVE, "started_at": NOW, "waiting": None},
            id="a first start",
        ),
        pytest.param(
            row(DOWNLOADING, started_at=THEN),
            READY,
            {**ALIVE, "download_completed_at": NOW},
            id="all files are there",
        ),
        pytest.param(
            row(READY, started_at=THEN, download_completed_at=THEN), PROCESSING, ALIVE, id="begins"
        ),
        pytest.param(
            row(PROCESSING, started_at=THEN, download_completed_at=THEN, alive_until=THEN),
            COMPLETED,
            {"alive_until": None, "processing_completed_at": NOW},
            id="completes",
        ),
        pytest.param(
            row(PROCESSING, started_at=THEN, download_completed_at=THEN),
            DOWNLOADING,
            {**ALIVE, "download_completed_at": None},
            id="goes back to its downloads",
        ),
        pytest.param(
            row(PROCESSING, retry_count=2, started_at=THEN, alive_until=THEN),
            FAILED,
            {"alive_until": None, "error_message": "disk full", "retry_count": 3},
            id="fails",
        ),
        pytest.param(
            row(FAILED, error_message="e", retry_count=2, **OLD),
            PROCESSING,
            {**ALIVE, "error_message": None, "processing_completed_at": None},
            id="resumes after its downloads",
        ),
        pytest.param(
            row(FAILED, error_message="e", retry_count=2),
            PROCESSING,
            {**ALIVE, "error_message": None, "started_at": NOW},
            id="resumes without a start",
        ),
        pytest.param(
            row(FAILED, OTHER, error_message="e", retry_count=2, **OLD),
            DOWNLOADING,
            {
                **{"run_id": "one", "error_message": None, "started_at": NOW},
                **{"download_completed_at": None, "processing_completed_at": None},
                **ALIVE,
            },
            id="another run tries again",
        ),
        pytest.param(
            row(FAILED, OTHER, error_message="e", retry_count=2),
            FAILED,
            {"run_id": "one", "error_message": "disk full", "retry_count": 3},
            id="another run fails too",
        ),
        pytest.param(
            row(COMPLETED, retry_count=2, **OLD),
            FAILED,
            {"error_message": "disk full", "retry_count": 3},
            id="a check fails after completion",
        ),
        pytest.param(
            row(COMPLETED, OTHER, retry_count=2, **OLD),
            PROCESSING,
            {
                **{"run_id": "one", "retry_count": 0, "started_at": NOW},
                **{"processing_completed_at": None},
                **ALIVE,
            },
            id="a cleared task of a completed month",
        ),
    ],
)
def test_a_move_changes_the_row(before: MonthRecord, to: Status, expected: dict[str, Any]) -> None:
    after = move(before, to, run=RUN, now=NOW, error_message="disk full")
    if to is not before.status:
        expected = {"status": to, **expected}
    assert changes(before, after) == expected


@pytest.mark.parametrize("status", Status)
def test_a_move_to_the_present_status_changes_nothing(status: Status) -> None:
    before = row(status)
    assert move(before, status, run=RUN, now=NOW, error_message="again") is before
    done = row(COMPLETED, OTHER)
    assert move(done, COMPLETED, run=RUN, now=NOW) is done


def test_a_run_of_the_command_line_has_no_lease() -> None:
    after = move(row(NOT_STARTED, None), DOWNLOADING, run=COMMAND, now=NOW)
    assert (after.run, after.alive_until) == (COMMAND, None)


@pytest.mark.parametrize("current", Status)
def test_another_run_moves_only_a_month_that_is_not_being_loaded(current: Status) -> None:
    for to in LEGAL[current]:
        if current in AT_WORK or (current, to) == (COMPLETED, FAILED):
            with pytest.raises(MonthTaken, match=f"{current} in another run, discogs_monthly / t"):
                move(row(current, OTHER), to, run=RUN, now=NOW)
        else:
            assert move(row(current, OTHER), to, run=RUN, now=NOW).run == RUN


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (None, "No reason was given."),
        (" \0 ", "No reason was given."),
        (" a\0b\n", "ab"),
        ("x" * 8192, "x" * 8192),
        ("x" * 8193, "x" * 8191 + "…"),
    ],
)
def test_an_error_message_is_kept_as_the_column_takes_it(message: str | None, kept: str) -> None:
    after = move(row(PROCESSING), FAILED, run=RUN, now=NOW, error_message=message)
    assert after.error_message == kept


@pytest.mark.parametrize("status", Status)
def test_a_month_that_is_not_being_loaded_can_be_claimed(status: Status) -> None:
    mine, others = row(status), row(status, OTHER)
    if status in AT_WORK:
        assert claim(mine, run=RUN, now=NOW) is mine
        assert claim(others, run=RUN, now=NOW) is None
    else:
        claimed = claim(others, run=RUN, now=NOW)
        assert claimed == move(others, DOWNLOADING, run=RUN, now=NOW)


def test_a_task_that_begins_takes_the_month_to_its_step() -> None:
    for current in (READY, PROCESSING):
        before = row(current)
        back = enter(before, DOWNLOADING, run=RUN, since=SINCE, now=NOW)
        assert back.status is DOWNLOADING
        assert enter(before, DOWNLOADING, run=RUN, since=SINCE, now=NOW, backwards=False) is before
    on = enter(row(READY), PROCESSING, run=RUN, since=THEN, now=NOW, backwards=False)
    assert (on.status, on.updated_at) == (PROCESSING, NOW)
    nobodys = enter(row(DOWNLOADING, None), READY, run=RUN, since=SINCE, now=NOW)
    assert (nobodys.status, nobodys.run) == (READY, RUN)
    done = row(COMPLETED, OTHER)
    assert enter(done, PROCESSING, run=RUN, since=SINCE, now=NOW) is done
    for current in AT_WORK:
        for to in AT_WORK:
            with pytest.raises(MonthTaken, match=f"2026-05 is {current} in .*_monthly / two"):
                enter(row(current, OTHER), to, run=RUN, since=SINCE, now=NOW)


def test_a_failed_month_stays_failed_until_its_run_is_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = row(FAILED, updated_at=SINCE)
    with caplog.at_level(logging.INFO, "discogs"):
        assert enter(before, PROCESSING, run=RUN, since=SINCE, now=NOW) is before
    assert "2026-05 stays failed: another task of this run has failed" in caplog.text
    again = enter(before, PROCESSING, run=RUN, since=SINCE + dt.timedelta(seconds=1), now=NOW)
    assert again.status is PROCESSING
    assert enter(before, PROCESSING, run=OTHER, since=THEN, now=NOW).status is PROCESSING
    resumed = enter(before, PROCESSING, run=RUN, since=NOW, now=NOW, backwards=False)
    assert resumed.status is PROCESSING


def test_the_end_of_a_wait_is_no_failed_attempt() -> None:
    for before in (row(NOT_STARTED, None, waiting=WAITING), row(NOT_STARTED, waiting=WAITING)):
        ended = fail(before, "marked as failed", run=RUN, now=NOW)
        assert ended is not None
        assert (ended.status, ended.retry_count, ended.waiting) == (FAILED, 0, None)
        assert ended.error_message == "marked as failed"
    loaded = row(COMPLETED, OTHER, waiting=WAITING)
    assert changes(loaded, fail(loaded, "marked", run=RUN, now=NOW)) == {"waiting": None}
    # The wait of another run stays, until the month is moved.
    others = fail(row(NOT_STARTED, None, waiting=WAITING), "a cause", run=OTHER, now=NOW)
    assert others is not None
    assert (others.status, others.retry_count, others.waiting) == (FAILED, 1, None)


def test_the_first_message_of_a_failure_stays_unless_it_says_nothing() -> None:
    before = row(FAILED, error_message="the cause", retry_count=1, updated_at=SINCE)
    for started in (None, THEN, SINCE):
        assert fail(before, "an effect", run=RUN, now=NOW, started=started) is before
    unexplained = before.replace(error_message=f"task: {UNEXPLAINED}", updated_at=THEN)
    explained = fail(unexplained, "the \0cause", run=RUN, now=NOW)
    assert changes(unexplained, explained) == {"error_message": "the cause"}
    assert fail(unexplained, f"other: {UNEXPLAINED}", run=RUN, now=NOW) is unexplained
    without = before.replace(error_message=None)
    assert fail(without, "an effect", run=RUN, now=NOW) is without
    # While the run works, its message is the first, whenever it was started.
    working = row(PROCESSING, error_message=UNEXPLAINED, download_completed_at=THEN)
    failed = {"status": FAILED, "error_message": "the cause", "retry_count": 1}
    for started in (None, SINCE):
        after = fail(working, "the cause", run=RUN, now=NOW, started=started)
        assert changes(working, after) == failed


def test_a_run_that_was_started_again_fails_again() -> None:
    before = row(FAILED, error_message=UNEXPLAINED, retry_count=1)
    again = fail(before, "the second cause", run=RUN, now=NOW, started=SINCE)
    assert changes(before, again) == {
        "error_message": "the second cause",
        "retry_count": 2,
        "started_at": NOW,
    }


def test_past_the_limit_the_failure_of_another_run_does_not_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = row(FAILED, OTHER, error_message="the cause", retry_count=2)
    with caplog.at_level(logging.INFO, "discogs"):
        assert fail(before, "refused", run=RUN, now=NOW, limit=2) is None
    assert "2026-05 has failed 2 times: no further attempt" in caplog.text
    assert fail(before, "refused", run=RUN, now=NOW, limit=1) is None
    for limit in (None, 3):
        counted = fail(before, "one more", run=RUN, now=NOW, limit=limit)
        assert counted is not None
        assert (counted.retry_count, counted.error_message) == (3, "one more")
    done = row(COMPLETED, None, retry_count=2)
    assert fail(done, "a cause", run=RUN, now=NOW, limit=2) is not None
    with pytest.raises(MonthTaken):
        fail(row(PROCESSING, OTHER), "not mine", run=RUN, now=NOW, limit=0)


@pytest.mark.parametrize("status", Status)
def test_a_month_is_waited_for_unless_another_run_has_it(status: Status) -> None:
    mine, others = row(status), row(status, OTHER)
    assert changes(mine, wait(mine, WAITING, now=NOW)) == {"waiting": WAITING}
    if status in AT_WORK:
        assert wait(others, WAITING, now=NOW) is None
    else:
        assert changes(others, wait(others, WAITING, now=NOW)) == {"waiting": WAITING}


def test_only_the_run_that_waits_ends_its_wait() -> None:
    waiting = row(NOT_STARTED, None, waiting=WAITING)
    assert changes(waiting, stop_waiting(waiting, run=RUN, now=NOW)) == {"waiting": None}
    assert stop_waiting(waiting, run=OTHER, now=NOW) is None
    assert stop_waiting(row(NOT_STARTED), run=RUN, now=NOW) is None


@pytest.mark.parametrize("status", Status)
def test_a_run_that_ended_as_a_success_settles_its_month(status: Status) -> None:
    both = [Entity.LABELS, Entity.ARTISTS]
    sha256 = {"sha256": "a" * 64}
    before = row(status, started_at=THEN, processing_stats={"labels": {}})
    if status not in AT_WORK:
        assert settle(before, both, run=RUN, now=NOW) is None
        return
    assert settle(before, both, run=OTHER, now=NOW) is None
    lacking = settle(before, both, run=RUN, now=NOW)
    assert changes(before, lacking) == {
        "status": FAILED,
        "error_message": "The run ended as a success, but labels, artists of 2026-05 were not"
        " loaded. Clear all its tasks, or trigger the month again.",
        "retry_count": 1,
    }
    published = {name: FileChecksum("a" * 64) for name in ("labels.gz", "artists.gz")}
    whole = before.replace(
        file_checksums=published, processing_stats={"labels": sha256, "artists": sha256}
    )
    done = settle(whole, both, run=RUN, now=NOW)
    assert changes(whole, done) == {
        "status": COMPLETED,
        "processing_completed_at": NOW,
        **({"download_completed_at": NOW} if status is DOWNLOADING else {}),
    }
