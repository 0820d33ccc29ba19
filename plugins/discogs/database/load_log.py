"""Which months were merged into an entity's tables, and which shards wait to be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from discogs.database.connection import Connection
from discogs.schema.entities import Entity, Month


@dataclass(frozen=True)
class StagedShard:
    """A shard whose rows lie complete in staging."""

    shard: int
    shards: int
    generation: int
    report: dict[str, Any]


@dataclass(frozen=True)
class EntityLoad:
    """One merged month of one entity."""

    month: Month
    generation: int
    records: int
    report: dict[str, Any]


def merged_months(conn: Connection, entity: Entity) -> dict[Month, EntityLoad]:
    """The months merged so far, oldest first."""
    rows = conn.execute(
        "SELECT year_month, generation, records, report FROM entity_loads"
        " WHERE entity = %s ORDER BY year_month",
        [str(entity)],
    ).fetchall()
    found = [EntityLoad(Month.parse(row[0]), *row[1:]) for row in rows]
    return {load.month: load for load in found}


def generation(conn: Connection, entity: Entity) -> int:
    """How many merges the entity's tables have seen."""
    row = conn.execute(
        "SELECT coalesce(max(generation), 0) FROM entity_loads WHERE entity = %s", [str(entity)]
    ).fetchone()
    return int(row[0]) if row else 0


def record_load(
    conn: Connection,
    entity: Entity,
    month: Month,
    *,
    number: int,
    records: int,
    report: dict[str, Any],
) -> None:
    """Note a merge, in the transaction that does it."""
    conn.execute(
        "INSERT INTO entity_loads (year_month, entity, generation, records, report)"
        " VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (year_month, entity) DO UPDATE SET generation = excluded.generation,"
        " records = excluded.records, report = excluded.report, merged_at = now()",
        [str(month), str(entity), number, records, json.dumps(report)],
    )


def staged(conn: Connection, entity: Entity, month: Month) -> list[StagedShard]:
    """The shards that are complete."""
    rows = conn.execute(
        "SELECT shard, shards, generation, report FROM staged_shards"
        " WHERE year_month = %s AND entity = %s ORDER BY shard",
        [str(month), str(entity)],
    ).fetchall()
    return [StagedShard(*row) for row in rows]


def record_staged(conn: Connection, entity: Entity, month: Month, shard: StagedShard) -> None:
    """Note that a shard is complete."""
    conn.execute(
        "INSERT INTO staged_shards (year_month, entity, shard, shards, generation, report)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [
            str(month),
            str(entity),
            shard.shard,
            shard.shards,
            shard.generation,
            json.dumps(shard.report),
        ],
    )


def forget_staged(conn: Connection, entity: Entity, month: Month, shard: int | None = None) -> None:
    """Take back that a shard (or every shard) is complete."""
    conn.execute(
        "DELETE FROM staged_shards WHERE year_month = %s AND entity = %s"
        " AND (%s::integer IS NULL OR shard = %s::integer)",
        [str(month), str(entity), shard, shard],
    )
