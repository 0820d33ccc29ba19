"""Connections to the target database: opening and preparing them, and translating their errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow, tuple_row

from discogs.database.errors import DatabaseError, DatabaseUnavailable, LockBusy, NotMigrated
from discogs.database.pooling import require_own_session

Connection = psycopg.Connection[TupleRow]
"""A connection prepared by :func:`prepare`."""

Connect = Callable[[], Connection]
"""Opens a new connection, not in autocommit; the caller closes it."""

_CONNECT_SECONDS = "10"
# How often the server checks that the client of a running statement is still connected; without it
# the statement of a killed task would run to its end, with its locks.
_CHECK_INTERVAL = "10s"
_PREPARE_THRESHOLD = 5  # psycopg's own default
# The server's messages when it refuses a login; a failed connection has no SQLSTATE.
_REFUSED = re.compile(
    r"authentication failed|does not exist|pg_hba\.conf|no password supplied|not permitted to"
    r"|permission denied|is not currently accepting|certificate|does not support SSL"
    r"|unsupported startup parameter|invalid \w+ value",
    re.IGNORECASE,
)


def connector(dsn: str, schema: str, *, application_name: str = "discogs") -> Connect:
    """Make a function that connects to a database, with a schema as the search path.

    The function raises :class:`DatabaseUnavailable` when the server does not answer, and
    :class:`DatabaseError` when it refuses the login; no message contains a password.

    :param dsn: a libpq URI or keyword string.
    :param schema: may not exist yet.
    :param application_name: shown in ``pg_stat_activity``.
    :raises DatabaseError: when the DSN cannot be parsed.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # libpq's message quotes the DSN with its password.
        driver = re.match(r"postgres(ql)?\+\w+://", dsn)
        why = " (a driver after + is SQLAlchemy's syntax)" if driver else ""
        raise DatabaseError(
            f"The DSN cannot be read{why}: write it as"
            " postgresql://user:password@host:5432/database, with special characters"
            " percent-encoded, or as host=… dbname=… user=…"
        ) from None
    options = {"connect_timeout": _CONNECT_SECONDS, "application_name": application_name}
    options.update({key: str(value) for key, value in parts.items() if value is not None})

    def open_session() -> Connection:
        try:
            return psycopg.connect(**options, autocommit=True)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            text = _without_secrets(str(error), dsn, options.get("password"))
            raise refusal(text, describe(dsn)) from None

    def connect() -> Connection:
        conn = open_session()
        prepare(conn, schema, open_session)
        return conn

    return connect


#: The settings that the package relies on, whatever defaults the role, database, environment and
#: DSN set. With a client encoding other than UTF8, for example, COPY would store wrong characters
#: without an error. Settings that the server does not have are skipped.
_SESSION = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "extra_float_digits": "1",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    # A load's statements and transactions may last for hours; where a limit is needed, it is set
    # for one transaction.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_SET_SESSION = (
    "SELECT set_config(w.name, w.value, false) FROM unnest(%s::text[], %s::text[])"
    " AS w (name, value) JOIN pg_settings s ON lower(s.name) = lower(w.name)"
)
# PostgreSQL silently ignores a schema of the search path that the role may not use.
_MAY_NOT_USE = """
SELECT current_user, format('GRANT USAGE, CREATE ON SCHEMA %%I TO %%I', nspname, current_user)
FROM pg_namespace WHERE nspname = %s AND NOT has_schema_privilege(oid, 'USAGE')
"""


def prepare(
    conn: psycopg.Connection[Any], schema: str, reopen: Callable[[], psycopg.Connection[Any]]
) -> None:
    """Set up a new connection: encoding, formats, time-outs, search path, rows as tuples, no
    autocommit. It is closed if an error is raised.

    :param reopen: opens another connection like it.
    :raises PoolerUnusable: when a pooler shares the session with other clients.
    :raises DatabaseError: when the database's encoding is not UTF8, or the role may not use the
        schema.
    """
    try:
        _pin_client(conn)
        require_own_session(conn, lambda: _pin_client(reopen()))
        _pin_session(conn, schema)
        conn.autocommit = False
    except BaseException:
        conn.close()
        raise


def _pin_client(conn: psycopg.Connection[Any]) -> Connection:
    """Reset what the arguments of psycopg's ``connect`` may have set, and turn autocommit on."""
    conn.row_factory = tuple_row
    conn.cursor_factory = psycopg.Cursor
    conn.prepare_threshold = _PREPARE_THRESHOLD
    conn.isolation_level = conn.read_only = conn.deferrable = None
    conn.autocommit = True
    return conn


def _pin_session(conn: Connection, schema: str) -> None:
    encoding = conn.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(
            f"The database {conn.info.dbname} has the encoding {encoding}, which cannot hold every"
            " name of the dumps; nothing was written. Create one with UTF8, and load into that:"
            " CREATE DATABASE discogs ENCODING 'UTF8' TEMPLATE template0;"
        )
    conn.execute(_SET_SESSION, [list(_SESSION), list(_SESSION.values())])
    row = conn.execute(_MAY_NOT_USE, [schema]).fetchone()
    if row is not None:
        raise DatabaseError(
            f"The role {row[0]} may not use the schema {schema} of the database {conn.info.dbname}"
            f" (permission denied). Let its owner run: {row[1]}; (USAGE is enough to read)"
        )
    conn.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    with contextlib.suppress(psycopg.DatabaseError):  # PostgreSQL 13, or no Linux server
        conn.execute(
            "SELECT set_config('client_connection_check_interval', %s, false)", [_CHECK_INTERVAL]
        )


def refusal(text: str, where: str) -> DatabaseError:
    """The package's error for a connection that could not be opened: transient if the server is not
    reachable, permanent if it refuses the login.

    :param text: libpq's message, without secrets.
    :param where: the server, for the message.
    """
    if _REFUSED.search(text):
        return DatabaseError(f"PostgreSQL refused the connection to {where}: {text}")
    return DatabaseUnavailable(f"PostgreSQL is not reachable at {where}: {text}")


def describe(dsn: str) -> str:
    """The user, server and database of a DSN: ``discogs@db.example:5432/discogs``."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "an unreadable DSN"
    user = f"{parts['user']}@" if parts.get("user") else ""
    # After an unescaped @ in a password, libpq takes the rest of the password as part of the host.
    host = str(parts.get("host") or parts.get("hostaddr") or "localhost").rpartition("@")[2]
    return f"{user}{host}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def _first_line(error: psycopg.Error) -> str:
    """The message without the excerpt of the statement."""
    return str(error).strip().partition("\n")[0]


def explain(error: psycopg.Error) -> DatabaseError:
    """The package's error for an error of psycopg's."""
    state = error.sqlstate or ""
    # In one line, since the messages go to logs and stderr line by line.
    text = " ".join(str(error).split()) or type(error).__name__
    # 08 connection exception, 57P operator intervention: shut down, crashed, starting up.
    lost = isinstance(error, psycopg.OperationalError) and not state
    if lost or state.startswith(("08", "57P")):
        return DatabaseUnavailable(f"The connection to PostgreSQL was lost: {text}")
    if state.startswith("53"):  # disk full, out of memory, too many connections
        return DatabaseUnavailable(f"PostgreSQL has run out of a resource: {text}")
    # Lock not available; 40 transaction rollback: deadlock, serialization failure and similar.
    if state == "55P03" or state.startswith("40"):
        return LockBusy(f"Another connection holds a lock that is needed: {text}")
    if state in {"3F000", "42P01", "42704"}:  # no such schema, table or type
        return NotMigrated(_first_line(error))
    return DatabaseError(f"PostgreSQL refused: {text}")


def _without_secrets(text: str, dsn: str, password: str | None) -> str:
    """libpq's message without the password, even if an unescaped @ made libpq take part of it as
    the host."""
    secrets = {password, unquote(password)} if password else set()
    match = re.match(r"postgres(?:ql)?://[^/?]*@", dsn)
    if match is not None:
        secrets.update(re.split(r"[:@]", match[0].partition("://")[2])[1:])
        text = re.sub(r"\"[^\"\s]*@([^\"@\s]*)\"", r'"\1"', text)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return " ".join(text.split())
