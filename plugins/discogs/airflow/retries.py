"""Which failures are retried."""

from __future__ import annotations

import datetime as dt
import errno
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowNotFoundException

from discogs.dumps.errors import RateLimited
from discogs.errors import DiscogsError

if TYPE_CHECKING:
    from airflow.sdk import Context

# Errors of a file or folder that this user may not use, or that is of the wrong type.
_UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
_REASON = 500  # characters, the limit of Airflow's column


class MappingLost(DiscogsError):
    """The XCom that a task is mapped over does not exist any more."""

    def __init__(self) -> None:
        super().__init__(
            "The XCom that this task is mapped over was deleted: clear the task fetch_checksums and"
            " its downstream tasks. Completed work is not repeated."
        )


class TransientRetryPolicy(RetryPolicy):
    """Retries transient errors, and fails at once on errors that somebody must fix.

    The package's errors know whether they are transient; an error of psycopg is translated first.
    An undefined connection and a folder that cannot be used are not retried. Any other exception is
    left to the task's ``retries``.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        error = translated(exception)
        if _needs_a_person(error):
            return RetryDecision.fail(str(error)[:_REASON])
        if not isinstance(error, DiscogsError):
            return RetryDecision.default()
        if not error.transient:
            return RetryDecision.fail(str(error)[:_REASON])
        delay = error.retry_after if isinstance(error, RateLimited) else None
        return RetryDecision.retry(
            dt.timedelta(seconds=delay) if delay is not None else None, str(error)[:_REASON]
        )

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TransientRetryPolicy:
        return cls()


def _needs_a_person(error: BaseException) -> bool:
    return isinstance(error, AirflowNotFoundException) or (
        isinstance(error, OSError) and error.errno in _UNUSABLE
    )


def translated(exception: BaseException) -> BaseException:
    """The package's error for an error of psycopg, or for an unclear one of Airflow's; any other
    exception unchanged."""
    import psycopg

    if _is_of_mapping(exception):
        return MappingLost()
    if isinstance(exception, psycopg.Error):
        from discogs.database.connection import explain

        return explain(exception)
    return exception


def _is_of_mapping(error: BaseException) -> bool:
    """Whether Airflow raised the error while it looked up the input of a mapped task."""
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals.get("__name__", "").endswith("._internal.expandinput"):
            return True
        step = step.tb_next
    return False
