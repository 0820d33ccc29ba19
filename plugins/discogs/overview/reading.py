"""Read-only transactions with a short timeout."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg.rows import DictRow, dict_row

from discogs.database.connection import Connect, explain
from discogs.database.errors import DatabaseError

#: Limit of a query, so that it does not slow a load down.
TIMEOUT_SECONDS = 3

_MISSING = {"3F000", "42P01", "42703", "42704"}  # no such schema, table, column or type
_CANCELED = "57014"


class NotMigrated(DatabaseError):
    """The tables do not exist, or are those of an earlier version of the package."""

    def __init__(self) -> None:
        super().__init__(
            "The database has no tables of this version of the package yet. The first run of the"
            " DAG creates them, and so does `python -m discogs migrate`."
        )


class QueryTooSlow(DatabaseError):
    """A query was cancelled after the timeout."""

    transient = True

    def __init__(self) -> None:
        super().__init__(
            f"The query took more than {TIMEOUT_SECONDS} s and was cancelled, so that it does not"
            " slow a load down. Try again later, or ask for less."
        )


@contextlib.contextmanager
def reading(connect: Connect) -> Iterator[psycopg.Cursor[DictRow]]:
    """A cursor in a read-only transaction with a timeout and one snapshot of the tables.

    :raises NotMigrated: when a table is missing.
    :raises QueryTooSlow: when a statement takes longer than :data:`TIMEOUT_SECONDS`.
    :raises DatabaseError: for any other error of PostgreSQL.
    """
    try:
        with connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
            conn.read_only = True
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # set_config, since SET takes no parameters.
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)", [f"{TIMEOUT_SECONDS}s"]
            )
            yield cursor
    except psycopg.Error as error:
        if error.sqlstate in _MISSING:
            raise NotMigrated from error
        if error.sqlstate == _CANCELED:
            raise QueryTooSlow from error
        raise explain(error) from error
