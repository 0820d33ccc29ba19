"""Waiting for a dump in the triggerer: rare looks, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from discogs.dumps.errors import RateLimited
from discogs.errors import DiscogsError
from discogs.schema.entities import Entity, Month


class DumpAvailableTrigger(BaseTrigger):
    """Fires when the month's dump is published, or when its server refuses for good.

    Faults that may pass are waited out; a server that names a time to come back is not asked
    before it.

    :param dumps_conn_id: HTTP connection of the server of dumps.
    :param year_month: ``YYYY-MM``.
    :param entities: those that must be there.
    :param poll_seconds: between two looks.
    :param first_wait: seconds until the first look; None for ``poll_seconds``.
    """

    def __init__(
        self,
        *,
        dumps_conn_id: str,
        year_month: str,
        entities: Sequence[str],
        poll_seconds: float,
        first_wait: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dumps_conn_id = dumps_conn_id
        self.year_month = year_month
        self.entities = list(entities)
        self.poll_seconds = poll_seconds
        self.first_wait = first_wait

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "dumps_conn_id": self.dumps_conn_id,
                "year_month": self.year_month,
                "entities": self.entities,
                "poll_seconds": self.poll_seconds,
                "first_wait": self.first_wait,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from discogs.airflow.hooks.dumps import DiscogsDumpsHook

        connection = await DiscogsDumpsHook.aget_connection(self.dumps_conn_id)
        wait = self.poll_seconds if self.first_wait is None else self.first_wait
        while True:
            await asyncio.sleep(wait)
            try:
                found = await asyncio.to_thread(self._look, DiscogsDumpsHook.of(connection))
            except DiscogsError as error:
                if not error.transient:
                    yield _event(status="error", message=str(error))
                    return
                self.log.info("%s", error)
                wait = wait_after(error, self.poll_seconds)
            else:
                yield _event(status="found", dump=found)
                return

    def _look(self, hook: Any) -> dict[str, Any]:
        from discogs.dumps.transport import ONE_LOOK

        with hook.source(limits=ONE_LOOK) as source:
            entities = [Entity(name) for name in self.entities]
            found: dict[str, Any] = source.find(Month.parse(self.year_month), entities).as_dict()
            return found


def _event(**payload: Any) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]


def wait_after(error: DiscogsError, poll_seconds: float) -> float:
    """Seconds until the next look: as often as wanted, but not before the server allows."""
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return max(poll_seconds, asked or 0.0)
