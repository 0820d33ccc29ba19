"""Recording the wait for a dump in the month's row."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discogs.dumps.errors import DumpNotPublished, RateLimited
from discogs.schema.entities import Month
from discogs.tracking import transitions
from discogs.tracking.model import MonthRecord, RunIdentity, Waiting, WaitReason

if TYPE_CHECKING:
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.errors import DiscogsError

log = logging.getLogger(__name__)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def reason_of(error: DiscogsError) -> WaitReason:
    """The reason to wait that follows from the error of a check."""
    if isinstance(error, DumpNotPublished):
        return WaitReason.NOT_PUBLISHED
    return WaitReason.RATE_LIMITED if isinstance(error, RateLimited) else WaitReason.SERVER_DOWN


def message_of(error: DiscogsError) -> str:
    """The error without its advice, since the wait has the time of the next check."""
    return str(error).removesuffix(" Try again later.")


def level_of(waiting: Waiting) -> int:
    """The log level for a wait."""
    return logging.WARNING if waiting.reason.is_fault else logging.INFO


@dataclass(frozen=True)
class MonthWait:
    """One run's wait, in the month's row. Errors of the database are only logged, so that they do
    not end the wait."""

    hook: DiscogsPostgresHook
    month: Month
    run: RunIdentity

    def row(self) -> MonthRecord | None:
        """The month's row; None also when it cannot be read."""
        with self._guarded():
            return self.hook.repository().get(self.month)
        return None

    def write(self, waiting: Waiting) -> None:
        with self._guarded():
            self.hook.repository().change(
                self.month, lambda row, at: transitions.wait(row, waiting, now=at)
            )

    def end(self) -> None:
        with self._guarded():
            self.hook.repository().change(
                self.month, lambda row, at: transitions.stop_waiting(row, run=self.run, now=at)
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Airflow's own among them, for a connection that is missing
            text = " ".join(str(error).split())
            log.warning("The wait could not be recorded in the row of %s: %s", self.month, text)
