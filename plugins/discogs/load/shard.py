"""A shard of an entity's staging tables: claimed from earlier attempts, emptied, and completed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa

from discogs.database import load_log
from discogs.database.connection import Connection
from discogs.database.copying import copy_batches
from discogs.database.fingerprint_index import PLACEHOLDER, FingerprintIndex, read_fingerprints
from discogs.database.load_log import StagedShard
from discogs.database.locking import advisory_lock
from discogs.database.promotion import is_promotable
from discogs.database.staging import (
    ABSENT,
    FILTERED,
    LEFT_OUT,
    NAMES,
    REFERENCED,
    REJECTED,
    Staging,
)
from discogs.records.block import Rejected
from discogs.records.seen_ids import SeenIds

#: Seconds that a shard waits for the locks of an earlier attempt.
LOCK_SECONDS = 60

_NAMES = pa.schema(
    {"shard": pa.int32(), "kind": pa.string(), "id": pa.int64(), "name": pa.string()}
)
_REFERENCED = pa.schema({"shard": pa.int32(), "kind": pa.string(), "id": pa.int32()})
_REJECTED = pa.schema(
    {
        "shard": pa.int32(),
        "byte_offset": pa.int64(),
        "record_id": pa.int32(),
        "reason": pa.string(),
        "xml": pa.string(),
    }
)


@dataclass(frozen=True)
class Shard:
    """A shard that is ready for rows, and the stored records of its entity."""

    staging: Staging
    number: int
    shards: int
    generation: int
    claim: UUID
    index: FingerprintIndex
    #: Whether no newer month has been merged.
    newest: bool
    #: Whether the live tables are empty, and the staging tables may be swapped in.
    first_load: bool
    #: The ids that filters left out of newer months; None when this is the newest month.
    left_out: SeenIds | None

    @property
    def claims(self) -> dict[int, UUID]:
        return {self.number: self.claim}


def prepare(conn: Connection, staging: Staging, number: int, shards: int) -> Shard:
    """Claim a shard, delete its staged rows, and read the stored fingerprints. The staging tables
    are created if they do not exist.

    :raises LockBusy: when another session uses the tables.
    """
    try:
        # The server ends the statement of a killed attempt well within this time.
        conn.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
        conn.commit()
        entity = staging.tables.entity
        lock = f"staging:{staging.live_schema}:{entity}:{staging.month}"
        with advisory_lock(conn, lock, wait=LOCK_SECONDS):
            generation = load_log.generation(conn, entity)
            claim = _claim(conn, staging, number, shards, generation)
        staging.clear_shard(conn, number, shards)
        conn.commit()
    except psycopg.errors.LockNotAvailable:
        conn.rollback()
        raise staging.busy(conn) from None
    months = list(load_log.merged_months(conn, entity))
    index = read_fingerprints(conn, str(entity), number, shards)
    first_load = not len(index) and staging.is_logged(conn)
    newest = not months or staging.month >= months[-1]
    left_out = None
    if not newest:
        left_out = SeenIds()
        for ids in load_log.left_out(conn, entity, after=staging.month):
            left_out.see(ids)
    conn.commit()
    return Shard(staging, number, shards, generation, claim, index, newest, first_load, left_out)


def _claim(conn: Connection, staging: Staging, number: int, shards: int, generation: int) -> UUID:
    """Claim the shard, after replacing staging tables that have other columns than the live ones,
    or rows of another generation or number of shards."""
    entity, month = staging.tables.entity, staging.month
    outdated = [
        staged
        for staged in load_log.staged(conn, entity, month)
        if staged.shards != shards or staged.generation != generation
    ]
    if outdated or staging.is_outdated(conn):
        load_log.forget_staged(conn, entity, month)
        staging.drop(conn)
        staging.create(conn, logged=is_promotable(conn, staging))
    load_log.forget_staged(conn, entity, month, number)
    conn.commit()
    claim = staging.claim(conn, number)
    staging.drop_keys(conn)
    conn.commit()
    return claim


def complete(
    conn: Connection,
    shard: Shard,
    *,
    absent: npt.NDArray[np.int32],
    left_out: npt.NDArray[np.int32],
    names: dict[str, dict[int, str]],
    referenced: dict[str, SeenIds],
    rejected: Iterable[Rejected],
    report: dict[str, Any],
) -> None:
    """Write a shard's extra tables, and record that the shard is staged.

    :param absent: ids of stored records that are absent from the dump.
    :param left_out: ids of the records that the filter left out, in ascending order.
    :param names: the genres and styles that the rows refer to: names by id, by table.
    :param referenced: ids of the records that the rows refer to, by the records' table.
    :raises StagingTaken: when a later attempt has taken the shard.
    """
    staging, number = shard.staging, shard.number
    staging.complete(conn, shard.claims)
    stored = shard.index.lookup(left_out)
    loaded = left_out[stored.found & (stored.states != PLACEHOLDER)]
    removed = [pa.array(np.full(len(absent), number, np.int32)), pa.array(absent)]
    filtered = [pa.array(np.full(len(loaded), number, np.int32)), pa.array(loaded)]
    named = [
        {"shard": number, "kind": kind, "id": key, "name": name}
        for kind, found in names.items()
        for key, name in found.items()
    ]
    refused = [
        {
            "shard": number,
            "byte_offset": r.offset,
            "record_id": r.record_id,
            "reason": r.reason,
            "xml": r.text,
        }
        for r in rejected
    ]
    for kind, batch in (
        (ABSENT, pa.RecordBatch.from_arrays(removed, names=["shard", "id"])),
        (FILTERED, pa.RecordBatch.from_arrays(filtered, names=["shard", "id"])),
        (NAMES, pa.RecordBatch.from_pylist(named, _NAMES)),
        (REJECTED, pa.RecordBatch.from_pylist(refused, _REJECTED)),
    ):
        copy_batches(conn, staging.extra(kind), [batch])
    pages = (
        pa.RecordBatch.from_arrays(
            [
                pa.repeat(pa.scalar(number, pa.int32()), len(page)),
                pa.repeat(target, len(page)),
                pa.array(page),
            ],
            schema=_REFERENCED,
        )
        for target, ids in referenced.items()
        for page in ids.ids()
    )
    copy_batches(conn, staging.extra(REFERENCED), pages)
    load_log.stage_left_out(conn, staging.extra(LEFT_OUT), number, left_out)
    staged = StagedShard(number, shard.shards, shard.generation, report)
    load_log.record_staged(conn, staging.tables.entity, staging.month, staged)
    conn.commit()
