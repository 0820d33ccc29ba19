"""A month's change feed and its rejected records, a page at a time.

A page starts after a key, not at an offset, so that the last page costs no more than the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from discogs.database.connection import Connect
from discogs.overview.model import Change, Changes, Kind, Rejected, RejectedRecord
from discogs.overview.reading import reading
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES

# One query per entity, so that each reads a range of the primary key (year_month, entity, id) or,
# for the rare kinds of change, of their partial index.
_CHANGES = """
SELECT entity, id, change, tables, columns, old_values FROM entity_changes
WHERE year_month = %(year_month)s AND entity = %(entity)s AND id > %(after)s
    {kind}
ORDER BY id LIMIT %(limit)s
"""

_REJECTED = """
SELECT id, entity, record_id, byte_offset, reason, xml, created_at FROM rejected_records
WHERE year_month = %(year_month)s AND id > %(after)s
    AND (%(entity)s::text IS NULL OR entity = %(entity)s)
ORDER BY id LIMIT %(limit)s
"""


def record_url(entity: Entity, record_id: int) -> str:
    """The record's page on Discogs' site."""
    return f"https://www.discogs.com/{entity.record}/{record_id}"


def title_column(entity: Entity) -> str:
    """The column of the root table with a record's title or name."""
    return next(name for name in TABLES[entity].root.names if name in {"title", "name"})


def titles(
    cursor: psycopg.Cursor[DictRow], entity: Entity, ids: Iterable[int]
) -> dict[int, str | None]:
    """The titles or names of the records, by id; records without a row are left out."""
    query = sql.SQL("SELECT id, {title} AS title FROM {table} WHERE id = ANY(%s)").format(
        title=sql.Identifier(title_column(entity)), table=sql.Identifier(TABLES[entity].root.name)
    )
    return {row["id"]: row["title"] for row in cursor.execute(query, [list(ids)])}


def changes(
    connect: Connect,
    month: Month,
    *,
    entity: Entity | None = None,
    change: Kind | None = None,
    after: tuple[Entity, int] | None = None,
    limit: int,
) -> Changes:
    """A page of the records that a month's load changed, by entity and id.

    :param after: the last record of the previous page.
    """
    found: list[dict[str, Any]] = []
    named: dict[tuple[str, int], str | None] = {}
    entities = [entity] if entity is not None else list(Entity)
    if after is not None:
        entities = [each for each in entities if _position(each) >= _position(after[0])]
    # A literal, not a parameter: the planner must see that the partial index has this kind.
    kind = sql.SQL("AND change = {}").format(change) if change is not None else sql.SQL("")
    query = sql.SQL(_CHANGES).format(kind=kind)
    with reading(connect) as cursor:
        for each in entities:
            values = {
                "year_month": str(month),
                "entity": str(each),
                "after": after[1] if after is not None and after[0] is each else 0,
                "limit": limit + 1 - len(found),
            }
            rows = cursor.execute(query, values).fetchall()
            found += rows
            if rows:
                ids = [row["id"] for row in rows]
                found_titles = titles(cursor, each, ids)
                named.update({(str(each), key): title for key, title in found_titles.items()})
            if len(found) > limit:
                break
    page = found[:limit]
    last = page[-1] if len(found) > limit else None
    return Changes(
        year_month=str(month),
        changes=[
            Change(
                entity=Entity(row["entity"]),
                id=row["id"],
                change=row["change"],
                tables=row["tables"],
                columns=row["columns"],
                old_values=row["old_values"],
                title=named.get((row["entity"], row["id"])),
                url=record_url(Entity(row["entity"]), row["id"]),
            )
            for row in page
        ],
        next=f"{last['entity']}.{last['id']}" if last is not None else None,
    )


def rejected(
    connect: Connect, month: Month, *, entity: Entity | None = None, after: int = 0, limit: int
) -> Rejected:
    """A page of a month's rejected records, in the order in which they were written."""
    values = {
        "year_month": str(month),
        "entity": str(entity) if entity is not None else None,
        "after": after,
        "limit": limit + 1,
    }
    with reading(connect) as cursor:
        rows = cursor.execute(_REJECTED, values).fetchall()
    page = [RejectedRecord(**{**row, "entity": Entity(row["entity"])}) for row in rows[:limit]]
    return Rejected(
        year_month=str(month), records=page, next=page[-1].id if len(rows) > limit else None
    )


def _position(entity: Entity) -> int:
    return list(Entity).index(entity)
