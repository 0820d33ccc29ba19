"""Which failures are tried again."""

from __future__ import annotations

import datetime as dt
import errno
from types import SimpleNamespace

import psycopg
import pytest
from airflow.sdk import RetryAction
from airflow.sdk.definitions._internal.expandinput import (
    DictOfListsExpandInput,
    ListOfDictsExpandInput,
)
from airflow.sdk.exceptions import AirflowNotFoundException

from discogs.airflow.operators.base import TaskStopped
from discogs.airflow.retries import TransientRetryPolicy
from discogs.database.errors import DatabaseUnavailable
from discogs.dumps.errors import ChecksumMismatch, RateLimited


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (DatabaseUnavailable("gone"), RetryAction.RETRY),
        (psycopg.OperationalError("connection lost"), RetryAction.RETRY),
        (psycopg.errors.UndefinedTable("no such table"), RetryAction.FAIL),
        (ChecksumMismatch("a", "b", "c"), RetryAction.FAIL),
        (TaskStopped("stopped"), RetryAction.DEFAULT),
        (
            AirflowNotFoundException("The conn_id `discogs_postgres` isn't defined"),
            RetryAction.FAIL,
        ),
        (OSError(errno.EROFS, "Read-only file system"), RetryAction.FAIL),
        (PermissionError(errno.EACCES, "Permission denied"), RetryAction.FAIL),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), RetryAction.DEFAULT),
        (KeyError("a mistake of ours"), RetryAction.DEFAULT),
    ],
)
def test_transient_errors_are_retried(error: BaseException, action: RetryAction) -> None:
    assert TransientRetryPolicy().evaluate(error, 1, 3).action is action


def test_a_task_whose_mapped_xcom_is_gone_says_what_to_clear() -> None:
    task = SimpleNamespace(map_index=0)
    for expand in (
        DictOfListsExpandInput({"file": SimpleNamespace(resolve=lambda _context: None)}),
        ListOfDictsExpandInput(SimpleNamespace(resolve=lambda _context: None)),
    ):
        with pytest.raises(Exception, match=r".") as gone:
            expand.resolve({"ti": task})
        decision = TransientRetryPolicy().evaluate(gone.value, 1, 3)
        assert decision.action is RetryAction.FAIL
        assert "clear the task fetch_checksums" in str(decision.reason)


def test_a_retry_waits_for_the_time_that_the_server_names() -> None:
    decision = TransientRetryPolicy().evaluate(RateLimited("https://…", 429, 3574.0), 1, 3)

    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == dt.timedelta(seconds=3574)


def test_the_reason_is_the_errors_text() -> None:
    error = ChecksumMismatch("discogs_20260701_labels.xml.gz", "aa", "bb")

    assert TransientRetryPolicy().evaluate(error, 1, 3).reason == str(error)
