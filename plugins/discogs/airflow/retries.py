"""Which failures are worth another try."""

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

# What a folder or a file answers that this user may not use, or that is not what it should be.
_UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
_REASON = 500  # characters; more does not fit beside a task instance


class MappingLost(DiscogsError):
    """What a task is mapped over cannot be found any more."""

    def __init__(self) -> None:
        super().__init__(
            "What this task is mapped over is gone, since its XCom was deleted: clear the task"
            " fetch_checksums, and what follows it. What is done already is not done again."
        )


class TransientRetryPolicy(RetryPolicy):
    """Tries again what may pass by itself, and fails at once what a person must fix.

    The package's errors say which they are; an error of PostgreSQL's driver is translated first.
    A connection that is not defined and a folder that cannot be used are not tried again. Any other
    exception is left to the task's ``retries``.
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
    """The package's error for one of PostgreSQL's driver, or for one of Airflow's that names
    neither what is wrong nor what to do; any other as it is."""
    import psycopg

    if _is_of_mapping(exception):
        return MappingLost()
    if isinstance(exception, psycopg.Error):
        from discogs.database.connection import explain

        return explain(exception)
    return exception


def _is_of_mapping(error: BaseException) -> bool:
    """Whether Airflow has raised an error while it looked up what a task is mapped over."""
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals.get("__name__", "").endswith("._internal.expandinput"):
            return True
        step = step.tb_next
    return False
