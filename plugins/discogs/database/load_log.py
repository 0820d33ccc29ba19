"""The load log: the merges of each entity, and the staged shards that are not merged yet."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql

from discogs.database.connection import Connection
from discogs.schema.entities import Entity, Month


@dataclass(frozen=True)
class StagedShard:
    """A shard whose rows are completely staged.

    :param generation: that of the tables when it was staged.
    """

    shard: int
    shards: int
    generation: int
    report: dict[str, Any]


@dataclass(frozen=True)
class EntityLoad:
    """One load of a month of an entity.

    :param generation: number of the merge, from 1, over all months of the entity.
    :param records: the number of records in the dump.
    """

    month: Month
    generation: int
    records: int
    report: dict[str, Any]


def merged_months(conn: Connection, entity: Entity) -> dict[Month, EntityLoad]:
    """The merged months, oldest first, each with its last load."""
    rows = conn.execute(
        "SELECT DISTINCT ON (year_month) year_month, generation, records, report FROM entity_loads"
        " WHERE entity = %s ORDER BY year_month, generation DESC",
        [str(entity)],
    ).fetchall()
    found = [EntityLoad(Month.parse(row[0]), *row[1:]) for row in rows]
    return {load.month: load for load in found}


def reports(conn: Connection, entity: Entity, month: Month) -> list[dict[str, Any]]:
    """The reports of all loads of a month, oldest first."""
    rows = conn.execute(
        "SELECT report FROM entity_loads WHERE entity = %s AND year_month = %s ORDER BY generation",
        [str(entity), str(month)],
    ).fetchall()
    return [report for (report,) in rows]


def generation(conn: Connection, entity: Entity) -> int:
    """The number of merges into the entity's tables so far."""
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
    run: tuple[str, str] | None = None,
) -> None:
    """Record a merge, in its own transaction.

    :param number: the generation of the tables after it.
    :param run: the ids of the DAG and the run, if known.
    """
    conn.execute(
        "INSERT INTO entity_loads (year_month, entity, generation, records, report, dag_id, run_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [str(month), str(entity), number, records, json.dumps(report), *(run or (None, None))],
    )


def staged(conn: Connection, entity: Entity, month: Month) -> list[StagedShard]:
    """The staged shards of a month."""
    rows = conn.execute(
        "SELECT shard, shards, generation, report FROM staged_shards"
        " WHERE year_month = %s AND entity = %s ORDER BY shard",
        [str(month), str(entity)],
    ).fetchall()
    return [StagedShard(*row) for row in rows]


def record_staged(conn: Connection, entity: Entity, month: Month, shard: StagedShard) -> None:
    """Record that a shard is staged."""
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
    """Delete the record that a shard is staged; of all shards when ``shard`` is None."""
    conn.execute(
        "DELETE FROM staged_shards WHERE year_month = %s AND entity = %s"
        " AND (%s::integer IS NULL OR shard = %s::integer)",
        [str(month), str(entity), shard, shard],
    )


def stage_left_out(
    conn: Connection, table: sql.Identifier, shard: int, ids: npt.NDArray[np.int32]
) -> None:
    """Store the ids that a filter left out in a staging table; the caller commits.

    :param ids: in ascending order.
    """
    if len(ids):
        packed = zlib.compress(np.diff(ids, prepend=0).astype("<i4").tobytes(), 1)
        query = sql.SQL("INSERT INTO {} (shard, ids) VALUES (%s, %s)").format(table)
        conn.execute(query, [shard, packed])


def left_out(conn: Connection, entity: Entity, *, after: Month) -> Iterator[npt.NDArray[np.int32]]:
    """The ids that filters left out of the months after ``after``, in arrays."""
    query = "SELECT ids FROM filtered_records WHERE entity = %s AND year_month > %s"
    for (packed,) in conn.execute(query, [str(entity), str(after)]).fetchall():
        differences = np.frombuffer(zlib.decompress(packed), "<i4")
        yield np.cumsum(differences, dtype=np.int32)
