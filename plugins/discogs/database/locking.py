"""Advisory locks between loads, and locks on tables that others read.

ACCESS EXCLUSIVE locks are requested with a short lock_timeout and retried: a request that waits for
a long query blocks every later query of the table.

A first load waits until the snapshots of other sessions have ended. PostgreSQL's deadlock detection
does not see such waits, so nothing here waits while this session has a snapshot itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from discogs.database.connection import Connection
from discogs.database.errors import LockBusy
from discogs.database.sql_files import read

log = logging.getLogger(__name__)

#: Seconds between two attempts to get an advisory lock: the first pause, and the longest.
_POLL_SECONDS = (0.02, 0.5)
#: lock_timeout of an attempt to lock a table, in seconds: of the first attempt, and the longest. It
#: is below PostgreSQL's deadlock_timeout (1 s): in a deadlock with a reader it is the load that
#: gives up, before the server cancels either.
_LOCK_TIMEOUTS = (0.05, 0.8)
#: Seconds between two attempts to lock tables: the first pause, and the longest.
_PAUSE_SECONDS = (0.05, 2.0)


@contextlib.contextmanager
def advisory_lock(conn: Connection, key: str, *, wait: float | None = None) -> Iterator[None]:
    """Hold a session-level advisory lock; the server releases it when the connection is lost.

    The lock is released at the end even if the caller has not committed: commit first.

    :param conn: not in a transaction, so that it has no snapshot while it waits.
    :param key: what is locked, such as ``"migrations:discogs"``. Advisory locks belong to one
        database, so loads into two databases do not conflict.
    :param wait: seconds; 0 tries once, None waits without limit.
    :raises LockBusy: naming the connection that still holds it.
    """
    number = _lock_number(key)
    if not _acquire(conn, number, wait):
        holder = _holder(conn, number)
        raise LockBusy(f"The lock {key!r} is held by {holder}. Wait for it to end, or stop it.")
    try:
        yield
    finally:
        # With the connection the lock is lost too, and the caller already has that error.
        with contextlib.suppress(psycopg.OperationalError):
            if conn.info.transaction_status == TransactionStatus.INERROR:
                conn.rollback()
            idle = conn.info.transaction_status == TransactionStatus.IDLE
            conn.execute("SELECT pg_advisory_unlock(%s)", [number])
            if idle:
                conn.commit()


def merge_lock(schema: str, entity: object) -> str:
    """The key of the lock that a merge of an entity holds."""
    return f"merge:{schema}:{entity}"


def _acquire(conn: Connection, number: int, wait: float | None) -> bool:
    assert conn.info.transaction_status == TransactionStatus.IDLE, "in a transaction"
    end = None if wait is None else time.monotonic() + wait
    pause, longest = _POLL_SECONDS
    while True:
        row = conn.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone()
        conn.commit()  # the lock outlives the transaction that took it
        if row is not None and row[0]:
            return True
        left = longest if end is None else end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 2, longest)


def _holder(conn: Connection, number: int) -> str:
    row = conn.execute(read("locks/advisory_holder.sql"), {"number": number}).fetchone()
    conn.commit()
    if row is None:
        return "a connection that has just gone"
    pid, application, user, since = row
    return _session(pid, application, user, f"since {since:%F %T} UTC")


def _lock_number(key: str) -> int:
    digest = hashlib.blake2b(f"discogs:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _session(pid: int, application: str, user: str, detail: str = "") -> str:
    known = ", ".join(filter(None, [application or "unnamed", f"user {user}", detail]))
    return f"server process {pid} ({known})"


def table_holders(conn: Connection, schema: str, tables: Iterable[str]) -> str:
    """The other sessions that hold locks on tables, for a message; empty if there are none."""
    given = {"schema": schema, "tables": list(tables)}
    rows = conn.execute(read("locks/table_holders.sql"), given).fetchall()
    return "; ".join(
        _session(pid, application, user, f"on {held}") for pid, application, user, held in rows
    )


class LockRetry:
    """The pauses of a swap of an entity's tables, with a limit on their total.

    :param seconds: the limit, from now.
    """

    def __init__(self, entity: object, seconds: float) -> None:
        self.entity = entity
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _PAUSE_SECONDS[0]
        self._logged = False

    def pause(self, who: str) -> None:
        """Wait, longer each time.

        :param who: the sessions that are waited for, for messages.
        :raises LockBusy: when the limit is reached.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise LockBusy(
                f"The tables of {self.entity} could not be swapped in within {self.seconds:g}"
                f" seconds, since others use them: {who}. Nothing was changed. Wait until they"
                " end, or stop them, and try again."
            )
        if not self._logged and self.seconds - left > 5:
            self._logged = True
            log.warning("The tables of %s wait to be swapped in for %s", self.entity, who)
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, _PAUSE_SECONDS[1])


def outwait_snapshots(conn: Connection, retry: LockRetry) -> None:
    """Wait until all transactions that have a snapshot now have ended; commits.

    A table that is swapped in is visible to every transaction at once, but a transaction with an
    older snapshot would see only the rows that were committed before that snapshot.

    :raises LockBusy: when they do not end in time.
    """
    query = read("locks/older_snapshots.sql")
    rows = conn.execute(query).fetchall()
    older = {row[0] for row in rows}
    while rows:
        conn.commit()
        _transaction, pid, application, user = rows[0]
        retry.pause(_session(pid, application, user))
        rows = [row for row in conn.execute(query).fetchall() if row[0] in older]
    conn.commit()


def lock_tables(
    conn: Connection,
    schema: str,
    tables: Iterable[str],
    retry: LockRetry,
    views: Iterable[tuple[str, str]] = (),
) -> None:
    """Lock tables in ACCESS EXCLUSIVE mode until the transaction ends.

    :param tables: in the order in which most queries lock them, so that the load waits at the first
        table that a query has locked, without locks on those that the query needs next.
    :param views: schema and name of views of these tables; they are locked first, as queries do.
    :raises LockBusy: when they cannot be locked in time.
    :raises psycopg.errors.DeadlockDetected: when a session that has locked one of the tables waits
        for a lock of this transaction. PostgreSQL detects that only while both sessions wait.
    """
    names = list(dict.fromkeys(tables))
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        sql.SQL(", ").join(
            sql.Identifier(*found) for found in [*views, *((schema, name) for name in names)]
        )
    )
    timeout, longest = _LOCK_TIMEOUTS
    while True:
        try:
            with conn.transaction():
                conn.execute(
                    "SELECT set_config('lock_timeout', %s, true)", [f"{round(timeout * 1000)}ms"]
                )
                conn.execute(statement)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            who = table_holders(conn, schema, names) or "short queries, one after the other"
            given = {"schema": schema, "tables": names}
            if conn.execute(read("locks/waits_for_this.sql"), given).fetchone():
                raise psycopg.errors.DeadlockDetected(f"{who} waits for this session") from None
        retry.pause(who)
        timeout = min(timeout * 2, longest)
