"""Detection of connection poolers that share PostgreSQL sessions between clients.

A load sets the search path and formats of its sessions, and holds advisory locks across
transactions. A pooler that gives the session to another client after each transaction or statement
breaks that silently, and passes the load's settings on to other clients.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

import psycopg
from psycopg.rows import TupleRow

from discogs.database.errors import PoolerUnusable

log = logging.getLogger(__name__)

Open = Callable[[], psycopg.Connection[TupleRow]]
"""Opens a connection in autocommit, with rows as tuples."""

# More than one, since other clients' transactions may hide that two connections share a session.
_ATTEMPTS = 3
# A custom parameter, which any role may set: set in one session and looked for in the next.
_PARAMETER = "discogs.session_of"
_STATEMENT_POOLING = "statement pooling"  # in PgBouncer's error for a transaction

# The poolers (host, port, database, user) that this process has found to keep sessions apart.
_usable: set[tuple[str, int, str, str]] = set()


def require_own_session(conn: psycopg.Connection[TupleRow], reopen: Open) -> None:
    """Check that a new connection keeps its PostgreSQL session until it is closed.

    For a direct connection this takes one query of its process id. For a pooler, a few more
    connections are opened, once per process.

    :param conn: as :data:`Open` opens it, with nothing set.
    :param reopen: opens another connection like it, which is closed here.
    :raises PoolerUnusable: saying how the pooler shares its sessions.
    """
    if _server_process(conn) == conn.info.backend_pid:
        return
    info = conn.info
    pooler = (info.host, info.port, info.dbname, info.user)
    if pooler in _usable:
        return
    log.debug("A connection pooler answers at %s:%s.", info.host, info.port)
    where = f"{info.host}:{info.port}/{info.dbname}"
    for _ in range(_ATTEMPTS):
        how = _shared(conn, reopen)
        if how is not None:
            raise PoolerUnusable(where, how)
    if _keeps_settings(reopen):
        raise PoolerUnusable(
            where,
            "gives a session to the next client as the last one left it (PgBouncer's"
            " server_reset_query is empty)",
        )
    _usable.add(pooler)


def _shared(conn: psycopg.Connection[TupleRow], reopen: Open) -> str | None:
    """How the pooler shares a session between two open connections; None if it does not.

    A connection with its own session has the same server process in each statement, even while
    another connection is in a transaction, and the other connection has another process.
    """
    before = _server_process(conn)
    with reopen() as other:
        try:
            shared = _server_process(conn) != before
            with other.transaction():
                shared = shared or _server_process(other) == before
                shared = shared or _server_process(conn) != before
        except psycopg.Error as error:
            if _STATEMENT_POOLING not in str(error):
                raise
            return "gives each statement another session (PgBouncer's pool_mode is statement)"
    if shared:
        return "gives each transaction another session (PgBouncer's pool_mode is transaction)"
    return None


def _keeps_settings(reopen: Open) -> bool:
    """Whether a session still has the settings of one client when the next client gets it."""
    value = uuid.uuid4().hex
    with reopen() as first:
        first.execute("SELECT set_config(%s, %s, false)", [_PARAMETER, value])
    with reopen() as second:
        row = second.execute("SELECT current_setting(%s, true)", [_PARAMETER]).fetchone()
    return row == (value,)


def _server_process(conn: psycopg.Connection[TupleRow]) -> int:
    """The id of the PostgreSQL process that executes this statement."""
    # Not prepared, since another session would not have the prepared statement.
    row = conn.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    assert row is not None
    return int(row[0])
