"""The hook for the target database, a PostgreSQL connection."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook

from discogs.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from discogs.database.connection import Connection
    from discogs.tracking.postgres import PostgresMonthRepository

_CANCEL_SECONDS = 3.0


class DiscogsPostgresHook(PostgresHook):
    """Connections to the target database: psycopg 3, the schema's search path, no autocommit.

    When a task dies, its running statement continues on the server and holds its locks. So the hook
    keeps track of its connections and can cancel their statements.

    :param postgres_conn_id: id of the connection.
    """

    default_conn_name = "discogs_postgres"
    hook_name = "Discogs PostgreSQL"

    def __init__(
        self,
        postgres_conn_id: str = default_conn_name,
        *args: Any,
        settings: Settings | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, postgres_conn_id=postgres_conn_id, **kwargs)
        self.settings = settings if settings is not None else Settings.from_environment()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._lock = threading.Lock()

    def connect(self) -> Connection:
        """A new connection; the caller closes it. This is the library's ``Connect``.

        :raises DatabaseUnavailable: when the server does not answer.
        :raises DatabaseError: when it refuses the login, or the provider uses another driver
            than psycopg 3.
        """
        from discogs.database.connection import prepare

        with self._lock:  # the lookup asks Airflow, which takes one thread at a time
            details = self.connection
        conn = self._open_session(details)
        prepare(conn, self.settings.schema, lambda: self._open_session(details))
        self._open.add(conn)
        return conn

    @property
    def place(self) -> str:
        """The target as text for a log: database, server and connection id."""
        details = self.connection
        where = f"{details.host or 'localhost'}:{details.port or 5432}"
        return f"database {details.schema} at {where} (connection {self.get_conn_id()})"

    def _open_session(self, details: Any) -> psycopg.Connection[Any]:
        """A connection as Airflow opens it."""
        from discogs.database.connection import refusal
        from discogs.database.errors import DatabaseError

        try:
            conn = self.get_conn()
        except psycopg.OperationalError as error:
            where = f"{details.host}:{details.port or 5432}/{details.schema} ({self.get_conn_id()})"
            text = " ".join(str(error).split())
            if details.password:
                text = text.replace(details.password, "***")
            raise refusal(text, where) from None
        except (psycopg.ProgrammingError, TypeError, ValueError) as error:
            text = " ".join(str(error).split())
            raise DatabaseError(
                f"The connection {self.get_conn_id()} cannot be used: {text}. Check its extra."
            ) from None
        if not isinstance(conn, psycopg.Connection):
            conn.close()
            raise DatabaseError(
                "apache-airflow-providers-postgres does not use psycopg 3 here: install"
                " apache-airflow-providers-postgres>=7 with psycopg[binary] and SQLAlchemy 2."
            )
        return conn

    def _get_cursor_config(self, raw_cursor: str) -> tuple[str, Any]:
        """Ignore the extra's ``cursor``: a load reads rows as tuples."""
        from psycopg.rows import tuple_row

        return "row_factory", tuple_row

    def repository(self) -> PostgresMonthRepository:
        """The tracking rows."""
        from discogs.tracking.postgres import PostgresMonthRepository

        return PostgresMonthRepository(self.connect)

    def copy(self, table: str, batches: Iterable[pa.RecordBatch]) -> int:
        """Append Arrow batches to a table in one COPY and one transaction, as a load does.

        :param table: its name, in the schema of the settings.
        :param batches: all of one schema, whose names and types match the table's columns.
        :returns: number of rows copied.
        """
        from psycopg import sql

        from discogs.database.copying import copy_batches

        with self.connect() as conn:
            return copy_batches(conn, sql.Identifier(self.settings.schema, table), batches).rows

    def cancel(self) -> None:
        """Cancel the running statements of the hook's connections."""
        for conn in list(self._open):
            if conn.closed:
                continue
            try:
                conn.cancel_safe(timeout=_CANCEL_SECONDS)
            except psycopg.Error as error:
                self.log.warning("A running statement could not be cancelled: %s", error)
