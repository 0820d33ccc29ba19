"""The floor: COPY of prepared rows, and the same keys.

This is the least time that a load could take with this server: nothing is decompressed, parsed or
compared, the files hold the bytes that COPY takes, and PostgreSQL does all of the work.
"""

from __future__ import annotations

import json
import queue
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from psycopg import sql

from discogs.database.connection import Connect
from discogs.database.keys import KeySettings, build_keys
from discogs.database.locking import LockRetry
from discogs.database.promotion import promote
from discogs.database.staging import NAMES, REFERENCED, Staging
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from discogs.schema.tables import Table
from discogs.settings import Settings

_ENTITY = Entity.RELEASES
_PIECE = 1024 * 1024
_PATIENCE_SECONDS = 60.0


def prepare(connect: Connect, settings: Settings, folder: Path) -> dict[str, Any]:
    """Write the rows of a loaded database into files, one per table and worker."""
    tables = TABLES[_ENTITY]
    parts = settings.workers
    folder.mkdir(parents=True, exist_ok=True)
    files: list[dict[str, Any]] = []
    with connect() as conn:
        for table in tables.all:
            columns = sql.SQL(", ").join(map(sql.Identifier, _sent(table)))
            only = sql.SQL("NOT placeholder AND" if table is tables.root else "")
            for part in range(parts):
                query = sql.SQL("SELECT {} FROM {} WHERE {} {} % {} = {}").format(
                    columns,
                    sql.Identifier(settings.schema, table.name),
                    only,
                    sql.Identifier(table.key[0]),
                    sql.Literal(parts),
                    sql.Literal(part),
                )
                path = folder / f"{table.name}.{part}"
                _write(conn, query, path)
                files.append({"table": table.name, "part": part, "bytes": path.stat().st_size})
        for kind in tables.names_tables:
            query = sql.SQL("SELECT 0, {}::text, id, name FROM {}").format(
                sql.Literal(kind), sql.Identifier(settings.schema, kind)
            )
            _write(conn, query, folder / f"{kind}.names")
        for target, references in tables.record_references.items():
            found = sql.SQL(" UNION ").join(
                sql.SQL("SELECT {} AS id FROM {}").format(
                    sql.Identifier(reference.name), sql.Identifier(settings.schema, referring.name)
                )
                for referring, reference in references
            )
            query = sql.SQL("SELECT 0, {}::text, id FROM ({}) f WHERE id IS NOT NULL").format(
                sql.Literal(target), found
            )
            _write(conn, query, folder / f"{target}.referenced")
    # Parts of a table are far apart in the order, so that connections rarely write to one table.
    files.sort(key=lambda file: (file["part"], -file["bytes"]))
    (folder / "files.json").write_text(json.dumps(files))
    return {"bytes": sum(file["bytes"] for file in files), "files": len(files)}


def load(connect: Connect, settings: Settings, folder: Path, month: Month) -> None:
    """COPY the files into tables without keys, build the keys, and swap the tables in."""
    tables = TABLES[_ENTITY]
    staging = Staging(settings.staging_schema, settings.schema, tables, month)
    by_name = {table.name: table for table in tables.all}
    with connect() as conn:
        staging.create(conn, logged=True)
        conn.commit()
        claims = {0: staging.claim(conn, 0)}
        waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for file in json.loads((folder / "files.json").read_text()):
            waiting.put(file)

        def work() -> None:
            with connect() as mine:
                mine.execute("SET synchronous_commit TO off")
                mine.commit()
                while True:
                    try:
                        file = waiting.get_nowait()
                    except queue.Empty:
                        return
                    table = by_name[file["table"]]
                    path = folder / f"{table.name}.{file['part']}"
                    _read(mine, staging.table(table), _sent(table), path)
                    mine.commit()

        with ThreadPoolExecutor(settings.workers) as pool:
            for future in [pool.submit(work) for _ in range(settings.workers)]:
                future.result()
        for kind in tables.names_tables:
            columns = ("shard", "kind", "id", "name")
            _read(conn, staging.extra(NAMES), columns, folder / f"{kind}.names")
        for target in tables.record_references:
            path = folder / f"{target}.referenced"
            _read(conn, staging.extra(REFERENCED), ("shard", "kind", "id"), path)
        staging.complete(conn, claims)
        conn.commit()
        keys = KeySettings(settings.workers, settings.maintenance_memory)
        build_keys(connect, staging, keys, claims)
        if promote(conn, staging, LockRetry(_ENTITY, _PATIENCE_SECONDS)) is None:
            raise RuntimeError("the tables of releases are not empty")
        staging.drop(conn)
        conn.commit()


def _sent(table: Table) -> tuple[str, ...]:
    """The columns of the COPY; the server fills in the month."""
    return tuple(name for name in table.names if name != "dump_month")


def _write(conn: Any, query: sql.Composable, path: Path) -> None:
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with path.open("wb") as file, conn.cursor() as cursor, cursor.copy(statement) as copy:
        for data in copy:
            file.write(data)


def _read(conn: Any, table: sql.Composable, columns: tuple[str, ...], path: Path) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with path.open("rb") as file, conn.cursor() as cursor, cursor.copy(statement) as copy:
        while data := file.read(_PIECE):
            copy.write(data)
