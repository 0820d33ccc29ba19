"""Fields and lists that a dump no longer fills, or fills for the first time.

Only the changed records of a month are parsed. How often they fill a field is counted; for the
unchanged records it is estimated from the counts of the load before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.load_log import EntityLoad
from discogs.records.columns import layouts
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import MAPPINGS

#: Key of a load's report: rows and values of the dump, counted by path.
FILLED = "filled"
#: When fewer parsed records than this are expected to have a field, its absence may be chance.
_FEW = 3.0


@dataclass(frozen=True)
class Drift:
    """The paths that a dump fills, compared with the month before.

    :param filled: rows and values of the whole dump, counted by path; partly estimated.
    :param missing: paths that only the month before filled, with its counts.
    :param appeared: paths that the month before did not fill, with this month's counts.
    """

    filled: Mapping[str, int]
    missing: Mapping[str, int]
    appeared: Mapping[str, int]


def drift(
    conn: Connection,
    entity: Entity,
    month: Month,
    merged: Mapping[Month, EntityLoad],
    counted: Mapping[str, int],
    *,
    unchanged: int,
    parsed: int,
) -> Drift:
    """Compare a merged month with the one before it.

    :param merged: the last load of each month before this load, possibly one of this month.
    :param counted: rows and values of the parsed records, counted by path.
    :param unchanged: how many records of the dump are unchanged.
    :param parsed: how many records were parsed.
    """
    earlier = [load for load in merged.values() if load.month <= month and load.report.get(FILLED)]
    before = [load for load in earlier if load.month < month]
    if not earlier or any(other > month for other in merged):
        return Drift(dict(counted), {}, {})
    base = earlier[-1]
    share = unchanged / max(1, base.records)
    filled = dict(counted)
    for path, number in base.report[FILLED].items():
        if path in filled or not unchanged:
            filled[path] = filled.get(path, 0) + round(number * share)
        elif number / max(1, base.records) * parsed < _FEW or _is_filled(conn, entity, path):
            filled[path] = max(1, round(number * share))
    filled = {path: number for path, number in filled.items() if number}
    last: dict[str, Any] = before[-1].report[FILLED] if before else {}
    return Drift(filled, _without(last, filled), _without(filled, last) if last else {})


def _without(some: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    """The paths that ``others`` lacks; of nested ones only the outermost."""
    found = {path: number for path, number in some.items() if path not in others}
    return {
        path: number
        for path, number in sorted(found.items())
        if not any(path.startswith(f"{above}/") for above in found)
    }


def _is_filled(conn: Connection, entity: Entity, path: str) -> bool:
    """Whether a live record has a row or a value at a path."""
    mapping = MAPPINGS[entity]
    root = mapping.root.name
    for layout in layouts(mapping):
        columns = {layout.path_of(field): field.column for field in layout.fields if field.path}
        if path != layout.path and path not in columns:
            continue
        conditions: list[sql.Composable] = [sql.SQL("r.removed_in IS NULL AND NOT r.placeholder")]
        if path in columns:
            conditions.append(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(columns[path])))
        statement = sql.SQL("SELECT FROM {} c JOIN {} r ON r.id = c.{} WHERE {} LIMIT 1").format(
            sql.Identifier(layout.table.name),
            sql.Identifier(root),
            sql.Identifier(layout.table.key[0]),
            sql.SQL(" AND ").join(conditions),
        )
        return conn.execute(statement).fetchone() is not None
    return False
