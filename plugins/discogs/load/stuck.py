"""Months that nobody works on or looks for any more, though their rows say so."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from discogs.database.connection import Connect
from discogs.load.life import is_alive
from discogs.load.locks import COMMAND
from discogs.schema.entities import Month
from discogs.tracking.model import LEASE, MonthRecord, RunIdentity

#: A run without a lease, of an earlier version, counts as dead when its row is older than this.
_NO_LEASE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Stuck:
    """A month that needs a person's attention.

    :param doing: what its row says, as a participle or status.
    :param since: the last heartbeat.
    :param run: whose it is.
    :param action: what to do.
    """

    month: Month
    doing: str
    since: dt.datetime
    run: RunIdentity
    action: str

    def __str__(self) -> str:
        since = self.since.astimezone(dt.timezone.utc)
        return (
            f"{self.month} is stuck: {self.doing} by {self.run}, which has sent no heartbeat"
            f" since {since:%F %H:%M} UTC. {self.action}"
        )


def stuck(connect: Connect, schema: str, record: MonthRecord, *, now: dt.datetime) -> Stuck | None:
    """What keeps a month from going on; None when a run is alive, or none is needed."""
    waiting, run = record.waiting, record.run
    if waiting is not None and now - waiting.next_look_at > LEASE:
        action = "See whether Airflow's triggerer runs, then clear the run's wait_for_dump."
        return Stuck(record.month, "waited for", waiting.next_look_at, waiting.run, action)
    if not record.status.at_work or run is None:
        return None
    if run.dag_id == COMMAND:
        alive = is_alive(connect, schema, record)
        last, action = record.updated_at, "Run the load again."
    else:
        last = record.alive_until - LEASE if record.alive_until is not None else record.updated_at
        alive = is_alive(connect, schema, record) and (
            record.alive_until is not None or now - record.updated_at < _NO_LEASE
        )
        action = (
            "See whether its Airflow runs; clear that run, or trigger the month again: a run takes"
            " over what a dead one has left."
        )
    return None if alive else Stuck(record.month, str(record.status), last, run, action)
