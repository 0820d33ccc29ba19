"""Taking tables that others read: they are locked at once or not at all, and nobody waits long.

An ACCESS EXCLUSIVE lock that waits for one long query makes every later query of that table
wait behind it. So each try is short, and between two tries whoever came meanwhile goes through.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

import psycopg
from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.errors import LockBusy
from discogs.database.sql_files import read

log = logging.getLogger(__name__)

#: Seconds that a try may wait for one table, from the first try to the last. The most is below
#: PostgreSQL's deadlock_timeout (1 s), so that a reader who holds one table and waits for
#: another sees the load step back, and is never the one whom the server ends.
_TRY_SECONDS = (0.05, 0.8)
#: Seconds between two tries.
_PAUSE_SECONDS = (0.05, 2.0)


class LockRetry:
    """How long the swap of one entity's tables may take in all.

    :param seconds: DISCOGS_SWAP_SECONDS.
    """

    def __init__(self, entity: object, seconds: float) -> None:
        self.entity = entity
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _PAUSE_SECONDS[0]
        self._told = False

    def pause(self, who: str) -> None:
        """Wait a moment, longer each time.

        :raises LockBusy: when the time is up.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise LockBusy(
                f"The tables of {self.entity} could not be swapped in within {self.seconds:g}"
                f" seconds, since others use them: {who}. Nothing was changed. Let them end, or"
                " stop them, and try again."
            )
        if not self._told and self.seconds - left > 5:
            self._told = True
            log.warning("The tables of %s wait to be put in place for %s", self.entity, who)
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, _PAUSE_SECONDS[1])


def outwait_snapshots(conn: Connection, patience: LockRetry) -> None:
    """Wait for the transactions that began before what was committed last; commits.

    A table that takes another's place is seen at once, even by a transaction that has looked
    at the database before: it would find those rows alone that are older than its snapshot.

    :raises LockBusy: when they do not end in time.
    """
    query = read("first_load/older_snapshots.sql")
    rows = conn.execute(query).fetchall()
    older = {transaction for transaction, _who in rows}
    while rows:
        conn.commit()
        patience.pause(str(rows[0][1]))
        rows = [row for row in conn.execute(query).fetchall() if row[0] in older]
    conn.commit()


def lock_tables(conn: Connection, schema: str, tables: Iterable[str], patience: LockRetry) -> None:
    """Lock tables in ACCESS EXCLUSIVE mode until the transaction ends.

    :param tables: in the order in which most readers come to them, so that the load queues
        behind a reader at the first of them, and holds none that the reader wants.
    :raises LockBusy: when they cannot be had in time.
    """
    names = list(dict.fromkeys(tables))
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        sql.SQL(", ").join(sql.Identifier(schema, name) for name in names)
    )
    seconds, most = _TRY_SECONDS
    while True:
        try:
            with conn.transaction():
                conn.execute(
                    "SELECT set_config('lock_timeout', %s, true)", [f"{round(seconds * 1000)}ms"]
                )
                conn.execute(statement)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            given = {"schema": schema, "tables": names}
            rows = conn.execute(read("first_load/holders.sql"), given).fetchall()
            who = "; ".join(str(row[0]) for row in rows) or "short queries, one after the other"
        patience.pause(who)
        seconds = min(seconds * 2, most)
