"""Months whose rows say that a run works on them or waits for them, while no run is alive."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from discogs.database.connection import Connect
from discogs.load.life import is_alive
from discogs.load.locks import COMMAND
from discogs.schema.entities import Month
from discogs.tracking.model import LEASE, MonthRecord, RunIdentity

#: A run without a lease, of an earlier version, counts as gone when its row is older than this.
_NO_LEASE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Stuck:
    """A month that needs a person's attention.

    :param doing: what its row says: a status, or ``waited for``.
    :param since: the last heartbeat.
    :param run: the run that the row names.
    :param action: what to do, as a sentence.
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
    """Whether a month is stuck; None when its run is alive, or it needs none."""
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
            "See whether its Airflow runs; clear that run, or trigger the month again: the new run"
            " takes the month over."
        )
    return None if alive else Stuck(record.month, str(record.status), last, run, action)
