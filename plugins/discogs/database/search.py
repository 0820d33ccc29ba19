"""The optional search indexes of ``include/sql/search``.

They are ordinary indexes: a merge maintains them, and a first load builds all indexes of the empty
tables on its new ones.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from discogs.database.connection import Connect, Connection, explain
from discogs.database.keys import KeySettings
from discogs.database.locking import advisory_lock, merge_lock
from discogs.database.sql_files import compose, read
from discogs.schema.entities import ENTITIES

log = logging.getLogger(__name__)

#: Seconds to wait for merges to end.
_LOCK_SECONDS = 600
_INDEX = re.compile(r"^CREATE INDEX (\w+) ON (\w+) .*?;$", re.MULTILINE | re.DOTALL)
_TRIGRAMS = (
    "SELECT n.nspname, a.name IS NOT NULL FROM (SELECT) one"
    " LEFT JOIN pg_extension e ON e.extname = 'pg_trgm'"
    " LEFT JOIN pg_namespace n ON n.oid = e.extnamespace"
    " LEFT JOIN pg_available_extensions a ON a.name = 'pg_trgm'"
)


@dataclass(frozen=True)
class SearchIndex:
    """An index, and the statement that creates it."""

    name: str
    table: str
    statement: str


@dataclass(frozen=True)
class SearchBuilt:
    """The indexes that a call built.

    :param lacking: why there are no trigram indexes; None when there are.
    """

    indexes: tuple[str, ...]
    seconds: float
    lacking: str | None


def build_search(connect: Connect, schema: str, settings: KeySettings) -> SearchBuilt:
    """Build the search indexes that are missing, in parallel.

    Readers are not blocked. Merges wait for the build, which first waits for a running merge.

    :raises LockBusy: naming a merge that does not end in time.
    :raises DatabaseError: when the server refuses a statement.
    """
    started = time.monotonic()
    with _alone(connect, schema) as conn:
        conn.execute(read("search/functions.sql").encode())
        lacking, trigrams = _trigrams(conn)
        conn.commit()
        present = _present(conn, schema)
        missing = [index for index in [*_declared(), *trigrams] if index.name not in present]
        if missing:
            with _no_merge(connect, schema):
                _in_parallel(connect, settings, [index.statement for index in missing])
                # Without ANALYZE, the planner has no statistics of an index's expression.
                tables = sorted({index.table for index in missing})
                _in_parallel(connect, settings, [f"ANALYZE {table}" for table in tables])
    built = SearchBuilt(tuple(i.name for i in missing), time.monotonic() - started, lacking)
    if missing:
        log.info("Built search indexes in %.1f s: %s", built.seconds, ", ".join(built.indexes))
    if lacking:
        log.info("No trigram indexes: %s.", lacking)
    return built


def drop_search(connect: Connect, schema: str) -> tuple[str, ...]:
    """Drop the search indexes, but not the functions, which queries call.

    :returns: the names of the dropped indexes.
    :raises LockBusy: naming a merge that does not end in time.
    :raises DatabaseError: when the server refuses a statement.
    """
    with _alone(connect, schema) as conn:
        present = _present(conn, schema)
        found = tuple(i.name for i in [*_declared(), *_of_trigrams("public")] if i.name in present)
        if found:
            with _no_merge(connect, schema):
                names = [sql.Identifier(schema, name) for name in found]
                conn.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(", ").join(names)))
                conn.commit()
    return found


def _declared() -> list[SearchIndex]:
    return _parse(read("search/indexes.sql"))


def _of_trigrams(schema: str) -> list[SearchIndex]:
    return _parse(compose("search/trigrams", schema=sql.Identifier(schema)).as_string(None))


def _parse(text: str) -> list[SearchIndex]:
    return [SearchIndex(m[1], m[2], m[0].rstrip(";")) for m in _INDEX.finditer(text)]


def _trigrams(conn: Connection) -> tuple[str | None, list[SearchIndex]]:
    """The trigram indexes; empty, with the reason, when the extension is not available."""
    schema, available = conn.execute(_TRIGRAMS).fetchall()[0]
    if schema is None and not available:
        return "the server has no extension pg_trgm (PostgreSQL's contrib modules)", []
    if schema is None:
        schema = "public"
        try:
            with conn.transaction():
                conn.execute("CREATE EXTENSION pg_trgm SCHEMA public")
        except psycopg.errors.DatabaseError as error:
            why = str(error).partition("\n")[0]
            return f"CREATE EXTENSION pg_trgm SCHEMA public was refused: {why}", []
    return None, _of_trigrams(schema)


def _present(conn: Connection, schema: str) -> set[str]:
    rows = conn.execute("SELECT indexname FROM pg_indexes WHERE schemaname = %s", [schema])
    found = {str(name) for (name,) in rows}
    conn.commit()
    return found


@contextmanager
def _alone(connect: Connect, schema: str) -> Iterator[Connection]:
    """A connection that holds the lock on the search indexes."""
    try:
        with connect() as conn, advisory_lock(conn, f"search:{schema}"):
            yield conn
    except psycopg.Error as error:
        raise explain(error) from error


@contextmanager
def _no_merge(connect: Connect, schema: str) -> Iterator[None]:
    """Hold the merge locks of all entities, since a first load reads and builds the indexes."""
    with ExitStack() as stack:
        for entity in ENTITIES:
            conn = stack.enter_context(connect())
            lock = merge_lock(schema, entity)
            stack.enter_context(advisory_lock(conn, lock, wait=_LOCK_SECONDS))
        yield


def _in_parallel(connect: Connect, settings: KeySettings, statements: list[str]) -> None:
    def run(statement: str) -> None:
        with connect() as conn:
            memory = f"{settings.memory // 1024}kB"
            conn.execute("SELECT set_config('maintenance_work_mem', %s, false)", [memory])
            conn.execute(statement.encode())
            conn.commit()

    with ThreadPoolExecutor(settings.connections, thread_name_prefix="search") as pool:
        futures = [pool.submit(run, statement) for statement in statements]
        wait(futures, return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()
