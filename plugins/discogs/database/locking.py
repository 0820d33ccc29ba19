"""Locks between loads, and on tables that others read.

Acquire ACCESS EXCLUSIVE locks with a short lock_timeout and retry, so readers never queue behind
the load: a lock that waits for one long query makes every later query of the table wait behind it.

A first load waits for the snapshots of other sessions, which PostgreSQL's deadlock detection does
not see. So nothing here waits while it holds a snapshot itself.
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

#: Seconds between two tries for an advisory lock, from the first pause to the longest.
_POLL_SECONDS = (0.02, 0.5)
#: Seconds that a try may wait for one table, from the first try to the last. The most is below
#: PostgreSQL's deadlock_timeout (1 s), so that a reader who holds one table and waits for
#: another sees the load step back, and is never the one whom the server ends.
_TRY_SECONDS = (0.05, 0.8)
#: Seconds between two tries.
_PAUSE_SECONDS = (0.05, 2.0)


@contextlib.contextmanager
def advisory_lock(conn: Connection, key: str, *, wait: float | None = None) -> Iterator[None]:
    """Hold a session-level advisory lock; the server drops it when the connection dies.

    Leaving releases the lock whether or not the caller committed: commit first.

    :param conn: outside a transaction, so that it holds no snapshot while it waits.
    :param key: what is locked, such as ``"migrations:discogs"``; the keys of two databases do not
        collide.
    :param wait: seconds; 0 tries once, None waits for ever.
    :raises LockBusy: when another connection still holds it, naming the connection.
    """
    number = _lock_number(key)
    if not _acquire(conn, number, wait):
        holder = _holder(conn, number)
        raise LockBusy(f"The lock {key!r} is held by {holder}. Wait for it to end, or stop it.")
    try:
        yield
    finally:
        # A lost connection has lost its lock too, and the caller has the error of the loss.
        with contextlib.suppress(psycopg.OperationalError):
            if conn.info.transaction_status == TransactionStatus.INERROR:
                conn.rollback()
            idle = conn.info.transaction_status == TransactionStatus.IDLE
            conn.execute("SELECT pg_advisory_unlock(%s)", [number])
            if idle:
                conn.commit()


def merge_lock(schema: str, entity: object) -> str:
    """The key of the lock that an entity's merge holds."""
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
    """The other sessions that hold locks on tables, for a message; empty when there are none."""
    given = {"schema": schema, "tables": list(tables)}
    rows = conn.execute(read("locks/table_holders.sql"), given).fetchall()
    return "; ".join(
        _session(pid, application, user, f"on {held}") for pid, application, user, held in rows
    )


class LockRetry:
    """How long the swap of one entity's tables may wait for others in all.

    :param seconds: the limit, from now.
    """

    def __init__(self, entity: object, seconds: float) -> None:
        self.entity = entity
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _PAUSE_SECONDS[0]
        self._logged = False

    def pause(self, who: str) -> None:
        """Wait a moment, longer each time.

        :raises LockBusy: when the time is up.
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
    """Wait for the transactions that began before what was committed last; commits.

    A table that takes another's place is seen at once, even by a transaction that has looked
    at the database before: it would find those rows alone that are older than its snapshot.

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

    :param tables: in the order in which most readers come to them, so that the load queues
        behind a reader at the first of them, and holds none that the reader wants.
    :param views: schema and name of views of these tables, which are locked first, as their
        readers do.
    :raises LockBusy: when they cannot be locked in time.
    :raises psycopg.errors.DeadlockDetected: when one who holds such a table waits for what this
        transaction holds already. PostgreSQL itself sees that only while both wait.
    """
    names = list(dict.fromkeys(tables))
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        sql.SQL(", ").join(
            sql.Identifier(*found) for found in [*views, *((schema, name) for name in names)]
        )
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
            who = table_holders(conn, schema, names) or "short queries, one after the other"
            given = {"schema": schema, "tables": names}
            if conn.execute(read("locks/waits_for_this.sql"), given).fetchone():
                raise psycopg.errors.DeadlockDetected(f"{who} waits for this session") from None
        retry.pause(who)
        seconds = min(seconds * 2, most)
