"""The locks that allow one run per month, and one month in processing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from discogs.database.connection import Connect
from discogs.database.errors import DatabaseUnavailable, LockBusy
from discogs.database.locking import advisory_lock
from discogs.schema.entities import Month
from discogs.tracking import reconciliation
from discogs.tracking.model import RunIdentity
from discogs.tracking.postgres import PostgresMonthRepository

#: The ``dag_id`` of the command line in the months' rows.
COMMAND = "command line"


def month_lock(schema: str, month: Month) -> str:
    """The key of a month's lock, which the command holds for the whole load and an Airflow run
    while it claims the month."""
    return f"month:{schema}:{month}"


def turn_lock(schema: str) -> str:
    """The key of the lock that a run holds while it sets its month to ``processing``."""
    return f"turn:{schema}"


@contextmanager
def holding_month(
    connect: Connect, schema: str, month: Month, *, wait: float
) -> Iterator[Callable[[], None]]:
    """Hold a month's lock.

    :param wait: how many seconds to wait while another session holds it.
    :returns: a function that raises DatabaseUnavailable if the lock was lost since.
    :raises LockBusy: naming the session that holds it.
    """
    with connect() as conn:

        def check() -> None:
            try:
                conn.execute("SELECT")
                conn.commit()
            except psycopg.Error as error:
                raise DatabaseUnavailable(
                    f"The load of {month} has lost its connection to PostgreSQL, and with it the"
                    " lock on the month. The load was stopped; run it again."
                ) from error

        with advisory_lock(conn, month_lock(schema, month), wait=wait):
            yield check


def command_is_alive(
    connect: Connect, schema: str, run: RunIdentity, *, held: Month | None = None
) -> bool:
    """Whether a command is still at work: if so, it holds the lock of its month.

    :param held: a month whose lock the caller holds, so that no other command works on it.
    """
    repository = PostgresMonthRepository(connect)
    with connect() as conn:
        months = [record.month for record in reconciliation.of_run(repository, run)]
        for month in months:
            if month == held:
                continue
            try:
                with advisory_lock(conn, month_lock(schema, month), wait=0):
                    conn.rollback()
            except LockBusy:
                return True
    return False
