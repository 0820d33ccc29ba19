"""Connection poolers between a load and its PostgreSQL.

A load needs sessions of its own: it sets its search path and formats, and holds advisory locks from
one transaction to the next. A pooler that gives a server's session to another client after each
transaction or statement breaks that silently, and hands what the load has set to strangers.
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

# Another client's transactions may keep the two sessions that are compared apart.
_LOOKS = 3
# Set in one session, and looked for in the next one: a name that PostgreSQL lets anybody set.
_MARK = "discogs.session_of"
_STATEMENT_POOLING = "statement pooling"  # as PgBouncer words its refusal of a transaction

# The poolers (host, port, database, user) that this process has seen to keep sessions apart.
_sound: set[tuple[str, int, str, str]] = set()


def require_own_session(conn: psycopg.Connection[TupleRow], reopen: Open) -> None:
    """Check that a fresh connection keeps one PostgreSQL session until it is closed.

    Nothing is asked of a direct connection but its process id. Behind a pooler, a few connections
    more are opened, once a process.

    :param conn: as :data:`Open` opens it; nothing was set in it yet.
    :param reopen: opens another connection like it, which is closed here.
    :raises PoolerUnusable: saying how the pooler shares its sessions.
    """
    if _server_process(conn) == conn.info.backend_pid:
        return
    info = conn.info
    pooler = (info.host, info.port, info.dbname, info.user)
    if pooler in _sound:
        return
    log.debug("A connection pooler answers at %s:%s.", info.host, info.port)
    where = f"{info.host}:{info.port}/{info.dbname}"
    for _ in range(_LOOKS):
        how = _shared(conn, reopen)
        if how is not None:
            raise PoolerUnusable(where, how)
    if _left_behind(reopen):
        raise PoolerUnusable(
            where,
            "gives a session to the next client as the last one left it (PgBouncer's"
            " server_reset_query is empty)",
        )
    _sound.add(pooler)


def _shared(conn: psycopg.Connection[TupleRow], reopen: Open) -> str | None:
    """How the pooler shares a session between two connections that are open; None if it does not.

    A session of its own is the same from one statement to the next, also while another connection
    is in a transaction, and that one's is another.
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


def _left_behind(reopen: Open) -> bool:
    """Whether a session keeps what its client has set when another client gets it."""
    mark = uuid.uuid4().hex
    with reopen() as first:
        first.execute("SELECT set_config(%s, %s, false)", [_MARK, mark])
    with reopen() as second:
        row = second.execute("SELECT current_setting(%s, true)", [_MARK]).fetchone()
    return row == (mark,)


def _server_process(conn: psycopg.Connection[TupleRow]) -> int:
    """The process of PostgreSQL that answers now."""
    # Not prepared: another session would lack the statement.
    row = conn.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    assert row is not None
    return int(row[0])
