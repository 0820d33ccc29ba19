"""The trigger that waits for a dump: a few requests an hour, made off the event loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.targets import POSTGRES, Target
from discogs.airflow.waits import MonthWait, level_of, message_of, now, reason_of
from discogs.dumps.errors import (
    AddressInvalid,
    BrowserCheck,
    DumpNotPublished,
    ListingUnreadable,
    RateLimited,
)
from discogs.errors import DiscogsError
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import Waiting

#: How long the server may give no usable answer while a run waits for its dump.
DOWN_SECONDS = 6 * 3600.0


class DumpAvailableTrigger(BaseTrigger):
    """Fires when the month's dump is published, or when the server refuses requests permanently.

    The trigger waits out transient errors for at most ``down_seconds``, and does not ask a server
    before the time that it names (Retry-After). An answer that cannot be read counts as a transient
    error here, since the sensor has already had a readable one. Each check is recorded in the log
    and in the month's row.

    :param dumps_conn_id: HTTP connection of the dump server.
    :param year_month: ``YYYY-MM``.
    :param entities: the entities whose files must be published.
    :param poll_seconds: seconds between two checks.
    :param first_wait: seconds until the first check; None for ``poll_seconds``.
    :param down_seconds: how long the server may give no usable answer.
    :param waiting: the wait as its sensor has recorded it; None records nothing.
    :param postgres_conn_id: connection of the target database.
    :param overrides: settings by name, in place of those of the environment.
    """

    def __init__(
        self,
        *,
        dumps_conn_id: str,
        year_month: str,
        entities: Sequence[str],
        poll_seconds: float,
        first_wait: float | None = None,
        down_seconds: float = DOWN_SECONDS,
        waiting: dict[str, Any] | None = None,
        postgres_conn_id: str = POSTGRES,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dumps_conn_id = dumps_conn_id
        self.year_month = year_month
        self.entities = list(entities)
        self.poll_seconds = poll_seconds
        self.first_wait = first_wait
        self.down_seconds = down_seconds
        self.waiting = waiting
        self.postgres_conn_id = postgres_conn_id
        self.overrides = overrides

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "dumps_conn_id": self.dumps_conn_id,
                "year_month": self.year_month,
                "entities": self.entities,
                "poll_seconds": self.poll_seconds,
                "first_wait": self.first_wait,
                "down_seconds": self.down_seconds,
                "waiting": self.waiting,
                "postgres_conn_id": self.postgres_conn_id,
                "overrides": self.overrides,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        connection = await DiscogsDumpsHook.aget_connection(self.dumps_conn_id)
        record = await self._recorder()
        wait = self.poll_seconds if self.first_wait is None else self.first_wait
        answered = time.monotonic()
        while True:
            await asyncio.sleep(wait)
            try:
                found = await asyncio.to_thread(self._look, DiscogsDumpsHook.of(connection))
            except DiscogsError as error:
                down = time.monotonic() - answered
                if isinstance(error, (DumpNotPublished, RateLimited)):
                    answered = time.monotonic()
                elif not _passing(error) or down >= self.down_seconds:
                    hours = f" This has lasted {down / 3600:.1f} hours." if _passing(error) else ""
                    yield _event(status="error", message=f"{error}{hours}")
                    return
                wait = wait_after(error, self.poll_seconds)
                await asyncio.to_thread(record, error, wait)
            else:
                yield _event(status="found", dump=found)
                return

    async def _recorder(self) -> Callable[[DiscogsError, float], None]:
        """A function that records a failed check: its error, and the seconds until the next one."""
        if self.waiting is None:
            return lambda error, _wait: self.log.warning("%s", error)
        from discogs.airflow.hooks.postgres import DiscogsPostgresHook

        began, connection = Waiting.from_dict(self.waiting), None
        try:
            connection = await DiscogsPostgresHook.aget_connection(self.postgres_conn_id)
        except Exception as error:  # Airflow's own, of several kinds
            self.log.warning("The wait could not be recorded in the month's row: %s", error)

        def record(error: DiscogsError, wait: float) -> None:
            waiting = replace(
                began,
                reason=reason_of(error),
                message=message_of(error),
                next_look_at=now() + dt.timedelta(seconds=wait),
            )
            self.log.log(level_of(waiting), "%s", waiting)
            if connection is not None:
                settings = Target(overrides=self.overrides or {}).settings
                hook = DiscogsPostgresHook(
                    self.postgres_conn_id, connection=connection, settings=settings
                )
                MonthWait(hook, Month.parse(self.year_month), waiting.run).write(waiting)

        return record

    def _look(self, hook: DiscogsDumpsHook) -> dict[str, Any]:
        from discogs.dumps.transport import ONE_LOOK

        with hook.source(limits=ONE_LOOK) as source:
            entities = [Entity(name) for name in self.entities]
            found: dict[str, Any] = source.find(Month.parse(self.year_month), entities).as_dict()
            return found


def _event(**payload: Any) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]


def _passing(error: DiscogsError) -> bool:
    unreadable = isinstance(error, (ListingUnreadable, AddressInvalid))
    return error.transient or (unreadable and not isinstance(error, BrowserCheck))


def wait_after(error: DiscogsError, poll_seconds: float) -> float:
    """Seconds until the next check: ``poll_seconds``, or longer if the server asks for it."""
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return max(poll_seconds, asked or 0.0)
