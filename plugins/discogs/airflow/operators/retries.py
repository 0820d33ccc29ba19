"""Which failures are worth another try."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from discogs.dumps.errors import RateLimited
from discogs.errors import DiscogsError

if TYPE_CHECKING:
    from airflow.sdk import Context

_REASON = 500  # characters; more does not fit beside a task instance


class TransientRetryPolicy(RetryPolicy):
    """Tries again what may pass by itself, and fails at once what somebody must see to.

    The package's errors say which they are; an error of PostgreSQL's driver is translated first.
    Any other exception is left to the task's ``retries``.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        error = _translated(exception)
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


def _translated(exception: BaseException) -> BaseException:
    import psycopg

    if isinstance(exception, psycopg.Error):
        from discogs.database.connection import explain

        return explain(exception)
    return exception
