"""A record's history, search by title, and the disk use of the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from discogs.database.connection import Connect
from discogs.database.errors import DatabaseError
from discogs.overview.feed import record_url, title_column
from discogs.overview.model import (
    FoundRecord,
    HistoryEvent,
    RecordHistory,
    RecordRows,
    TableSize,
)
from discogs.overview.reading import QueryTooSlow, reading
from discogs.schema.entities import Entity
from discogs.schema.mapping import TABLES
from discogs.schema.tables import Table

#: Rows of a child table that a history shows.
ROWS = 50

# The primary key begins with the month: one lookup per month, since the search index is optional.
_EVENTS = """
SELECT c.year_month, c.change AS kind, c.tables, c.columns, c.old_values
FROM (SELECT DISTINCT year_month FROM entity_loads WHERE entity = %(entity)s) l
JOIN entity_changes c ON c.year_month = l.year_month AND c.entity = %(entity)s AND c.id = %(id)s
ORDER BY c.year_month
"""
_FIRST_LOAD = """
SELECT min(year_month) AS year_month FROM entity_loads
WHERE entity = %(entity)s AND (report ->> 'first_load')::boolean
"""
_HAS_SEARCH = "SELECT to_regprocedure('search_text(text)') IS NOT NULL AS found"
_SIZES = """
SELECT c.relname AS table, pg_total_relation_size(c.oid) AS bytes
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY 2 DESC
"""


class SearchTooSlow(QueryTooSlow):
    """A search had to read every row."""

    def __init__(self) -> None:
        DatabaseError.__init__(
            self,
            "Without the search indexes every row has to be read, which takes too long here. Build"
            " them once with `python -m discogs migrate --search`, or look the record up by id.",
        )


def history(connect: Connect, entity: Entity, record_id: int) -> RecordHistory | None:
    """A record's history and rows; None if no loaded dump has the record."""
    tables = TABLES[entity]
    values = {"entity": str(entity), "id": record_id}
    with reading(connect) as cursor:
        query = sql.SQL("SELECT * FROM {} WHERE id = %(id)s").format(
            sql.Identifier(tables.root.name)
        )
        root = cursor.execute(query, values).fetchone()
        events = cursor.execute(_EVENTS, values).fetchall()
        if root is None and not events:
            return None
        first = cursor.execute(_FIRST_LOAD, values).fetchone()
        rows = [_rows(cursor, table, record_id) for table in tables.children] if root else []
    root = root or {}
    found = [HistoryEvent(**row) for row in events]
    if root.get("placeholder") is False and not any(event.kind == "added" for event in found):
        month = (first or {}).get("year_month")
        if month is not None:
            found.insert(0, HistoryEvent(year_month=month, kind="first_load"))
    shown = [name for name in tables.root.names if name in root and name != "fingerprint"]
    own = RecordRows(
        table=tables.root.name,
        count=1 if root else 0,
        rows=[{name: root[name] for name in shown}] if root else [],
    )
    return RecordHistory(
        entity=entity,
        id=record_id,
        title=root.get(title_column(entity)),
        url=record_url(entity, record_id),
        state=_state(root),
        dump_month=root.get("dump_month"),
        removed_in=root.get("removed_in"),
        last_seen=root.get("last_seen"),
        events=found,
        rows=[own, *(each for each in rows if each.count)],
    )


def search(connect: Connect, entity: Entity, title: str, *, limit: int) -> list[FoundRecord]:
    """The records whose title or name begins with a text, ignoring case, in alphabetical order.

    With the search indexes it takes milliseconds; without them every row is read.

    :raises SearchTooSlow: when a search without indexes takes too long.
    """
    column = sql.SQL("lower(left({}, 64))")
    with reading(connect) as cursor:
        indexed = cursor.execute(_HAS_SEARCH).fetchone()
        if indexed is not None and indexed["found"]:
            column = sql.SQL("search_text({})")
        query = sql.SQL(
            "SELECT id, {title} AS title, placeholder, removed_in FROM {table}"
            " WHERE {text} LIKE %(pattern)s ORDER BY {text} USING ~<~, id LIMIT %(limit)s"
        ).format(
            title=sql.Identifier(title_column(entity)),
            text=column.format(sql.Identifier(title_column(entity))),
            table=sql.Identifier(TABLES[entity].root.name),
        )
        escaped = re.sub(r"([\\%_])", r"\\\1", title[:64].lower())
        try:
            rows = cursor.execute(query, {"pattern": f"{escaped}%", "limit": limit}).fetchall()
        except psycopg.errors.QueryCanceled as error:
            raise SearchTooSlow from error
    return [
        FoundRecord(entity=entity, id=row["id"], title=row["title"], state=_state(row))
        for row in rows
    ]


def table_sizes(connect: Connect) -> list[TableSize]:
    """Disk use of each table, largest first."""
    owner = {table.name: entity for entity in Entity for table in TABLES[entity].all}
    with reading(connect) as cursor:
        rows = cursor.execute(_SIZES).fetchall()
    return [
        TableSize(table=row["table"], entity=owner.get(row["table"]), bytes=row["bytes"])
        for row in rows
    ]


def _rows(cursor: psycopg.Cursor[DictRow], table: Table, record_id: int) -> RecordRows:
    names = sql.SQL(", ").join(map(sql.Identifier, table.key[1:] + table.values))
    parts = {"table": sql.Identifier(table.name), "record": sql.Identifier(table.key[0])}
    query = sql.SQL("SELECT {names} FROM {table} WHERE {record} = %s ORDER BY {key} LIMIT %s")
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    rows = cursor.execute(
        query.format(names=names, key=key, **parts), [record_id, ROWS + 1]
    ).fetchall()
    count = len(rows)
    if count > ROWS:
        counted = sql.SQL("SELECT count(*) AS rows FROM {table} WHERE {record} = %s")
        answer = cursor.execute(counted.format(**parts), [record_id]).fetchone()
        count = answer["rows"] if answer is not None else count
    return RecordRows(table=table.name, count=count, rows=rows[:ROWS])


def _state(root: Mapping[str, Any]) -> Literal["live", "removed", "placeholder"]:
    if root.get("placeholder"):
        return "placeholder"
    return "removed" if not root or root.get("removed_in") is not None else "live"
