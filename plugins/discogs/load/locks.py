"""The locks that keep runs on one month, and months in processing, apart."""

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

#: Stands in the months' rows for the command line, in place of a DAG's id.
COMMAND = "command line"


def month_lock(schema: str, month: Month) -> str:
    """The key of a month's lock: the command holds it as long as it works on the month, and an
    Airflow run while it claims it."""
    return f"month:{schema}:{month}"


def turn_lock(schema: str) -> str:
    """The key of the lock under which a run begins the processing of its month."""
    return f"turn:{schema}"


@contextmanager
def holding_month(
    connect: Connect, schema: str, month: Month, *, wait: float
) -> Iterator[Callable[[], None]]:
    """Hold a month's lock.

    :param wait: seconds, for another who holds it.
    :returns: raises DatabaseUnavailable when called after the lock was lost.
    :raises LockBusy: naming who holds it.
    """
    with connect() as conn:

        def check() -> None:
            try:
                conn.execute("SELECT")
                conn.commit()
            except psycopg.Error as error:
                raise DatabaseUnavailable(
                    f"The load of {month} has lost its connection to PostgreSQL, and with it the"
                    " lock that keeps others from the month. The load was stopped; run it again."
                ) from error

        with advisory_lock(conn, month_lock(schema, month), wait=wait):
            yield check


def command_is_alive(
    connect: Connect, schema: str, run: RunIdentity, *, held: Month | None = None
) -> bool:
    """Whether a command that a row names is still at work: it holds its month's lock then.

    :param held: a month whose lock the caller holds, so that no other command can be at it.
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
