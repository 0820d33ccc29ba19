"""Merging a staged entity: the guards before it, the way of it, and what it reports."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from discogs.database import load_log
from discogs.database.connection import Connect, Connection, explain
from discogs.database.keys import KeySettings, build_keys
from discogs.database.load_log import StagedShard
from discogs.database.locking import LockRetry, advisory_lock, outwait_snapshots
from discogs.database.merging import Merged, MonthNeighbours, log_rejected, merge_rows
from discogs.database.promotion import is_promotable, promote
from discogs.database.staging import Staging, leftovers
from discogs.errors import DumpShrank, NotStaged, StagingLost, StagingStale, TooManyRejected
from discogs.load.stage import staging_of
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings

#: How many seconds a merge waits for another merge of the same entity.
_LOCK_SECONDS = 600
#: How many seconds a first load waits for readers before swapping its tables in.
SWAP_SECONDS = 3600.0
#: How many seconds a merge waits for what a vanished stage task has left in staging tables.
_STAGING_SECONDS = 60


@dataclass(frozen=True)
class EntityReport:
    """What a month's load did to one entity; every record read is in one of the counts.

    ``read = unchanged + inserted + updated + restored + rejected + same``, where ``same``
    counts records whose bytes differ from the last time and whose rows do not.
    """

    entity: str
    month: str
    read: int
    unchanged: int
    inserted: int
    updated: int
    restored: int
    removed: int
    rejected: int
    same: int
    rows: int
    bytes: int
    first_load: bool
    stage_seconds: float
    merge_seconds: float
    placeholders_added: int = 0
    placeholders_dropped: int = 0
    #: What the mapping does not know, as in StageReport.
    unmapped: dict[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return round(self.stage_seconds + self.merge_seconds, 3)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": self.seconds}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EntityReport:
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


def merge(
    connect: Connect,
    *,
    entity: Entity,
    month: Month,
    settings: Settings,
    allow_shrink: bool = False,
    swap_seconds: float = SWAP_SECONDS,
) -> EntityReport:
    """Merge what is staged of an entity, in one transaction.

    A month that is merged already and has nothing staged is left as it is, and its report
    returned; so a merge may be run again at any time.

    :param allow_shrink: take a dump that has far fewer records than the month before it.
    :param swap_seconds: how long a first load waits for readers before swapping its tables in.
    :raises NotStaged: when a shard is missing.
    :raises StagingStale: when another month was merged or the tables were changed since the shards
        were staged, or, as StagingLost, when a crash of the server has emptied their tables.
    :raises LockBusy: when a first load's tables cannot take the empty ones' place.
    :raises TooManyRejected: and the rejected records lie in ``rejected_records``.
    :raises DumpShrank: when the dump is smaller than its neighbour by more than the limit.
    """
    staging = staging_of(settings, entity, month)
    try:
        with connect() as conn:
            key = f"merge:{settings.schema}:{entity}"
            with advisory_lock(conn, key, wait=_LOCK_SECONDS):
                return _merge(connect, conn, staging, settings, allow_shrink, swap_seconds)
    except psycopg.Error as error:
        raise explain(error) from error


def is_merged(connect: Connect, entity: Entity, month: Month) -> bool:
    """Whether the month's merge is done."""
    with connect() as conn:
        return month in load_log.merged_months(conn, entity)


def discard_staging(connect: Connect, settings: Settings, needed: Collection[Month]) -> list[str]:
    """Drop the staging tables that no month needs any more; the names of the dropped.

    :param needed: months that are at work, or failed and may go on from what is staged.
    """
    dropped = []
    try:
        with connect() as conn:
            for name, month in leftovers(conn, settings.staging_schema):
                if month in needed:
                    continue
                table = sql.Identifier(settings.staging_schema, name)
                conn.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(table))
                conn.execute("DELETE FROM staged_shards WHERE year_month = %s", [str(month)])
                dropped.append(name)
            conn.commit()
    except psycopg.Error as error:
        raise explain(error) from error
    return dropped


def _merge(
    connect: Connect,
    conn: Connection,
    staging: Staging,
    settings: Settings,
    allow_shrink: bool,
    swap_seconds: float,
) -> EntityReport:
    started = time.monotonic()
    entity, month = staging.tables.entity, staging.month
    merged = load_log.merged_months(conn, entity)
    shards = load_log.staged(conn, entity, month)
    if not shards and month in merged:
        return EntityReport.from_dict(merged[month].report)
    claims = _check_staged(conn, staging, shards)
    read = sum(shard.report["read"] for shard in shards)
    rejected = sum(shard.report["rejected"] for shard in shards)
    _check_rejected(conn, staging, read, rejected, settings)
    if not allow_shrink:
        _check_shrink(entity, month, read, merged, settings)
    conn.commit()
    first = not merged and staging.is_logged(conn) and is_promotable(conn, staging)
    conn.commit()
    done = None
    if first:
        keys = KeySettings(settings.workers, settings.maintenance_memory)
        build_keys(connect, staging, keys, claims)
        retry = LockRetry(entity, swap_seconds)
        outwait_snapshots(conn, retry)
        staging.lock(conn, claims, _STAGING_SECONDS)
        placeholders = promote(conn, staging, retry)
        if placeholders is not None:
            added = sum(shard.report["changed"] for shard in shards)
            done = Merged(added, placeholders_added=placeholders)
    if done is None:
        first = False
        staging.lock(conn, claims, _STAGING_SECONDS)
        staging.strip(conn)
        place = MonthNeighbours.among(month, list(merged))
        done = merge_rows(conn, staging, place, settings.maintenance_memory)
    report = _report(entity, month, shards, done, first, started)
    log_rejected(conn, staging)
    load_log.record_load(
        conn,
        entity,
        month,
        number=load_log.generation(conn, entity) + 1,
        records=read,
        report=report.as_dict(),
    )
    load_log.forget_staged(conn, entity, month)
    staging.drop(conn)
    conn.commit()
    return report


def _report(
    entity: Entity,
    month: Month,
    shards: list[StagedShard],
    done: Merged,
    first: bool,
    started: float,
) -> EntityReport:
    def total(name: str) -> int:
        return sum(int(shard.report[name]) for shard in shards)

    return EntityReport(
        entity=str(entity),
        month=str(month),
        read=total("read"),
        unchanged=total("unchanged"),
        inserted=done.added,
        updated=done.changed,
        restored=done.restored,
        removed=done.removed,
        rejected=total("rejected"),
        same=total("changed") - done.added - done.changed - done.restored,
        rows=total("rows"),
        bytes=max(int(shard.report["unpacked_bytes"]) for shard in shards),
        first_load=first,
        stage_seconds=max(float(shard.report["seconds"]) for shard in shards),
        merge_seconds=round(time.monotonic() - started, 3),
        placeholders_added=done.placeholders_added,
        placeholders_dropped=done.placeholders_dropped,
        unmapped=dict(sum((Counter(shard.report["unmapped"]) for shard in shards), Counter())),
    )


def _check_staged(conn: Connection, staging: Staging, shards: list[StagedShard]) -> dict[int, UUID]:
    """The claims of the shards, each complete and of the present generation."""
    entity, month = staging.tables.entity, staging.month
    expected = shards[0].shards if shards else 1
    missing = sorted(set(range(expected)) - {shard.shard for shard in shards})
    if missing:
        raise NotStaged(entity, month, missing, expected)
    generation = load_log.generation(conn, entity)
    if any(shard.generation != generation for shard in shards) or staging.is_outdated(conn):
        raise StagingStale(entity, month)
    claims = staging.completed(conn)
    lost = sorted({shard.shard for shard in shards} - set(claims))
    if lost:
        raise StagingLost(entity, month, lost)
    return claims


def _check_rejected(
    conn: Connection, staging: Staging, read: int, rejected: int, settings: Settings
) -> None:
    # One odd record must not stop a small dump.
    if rejected <= max(1, int(read * settings.max_rejected)):
        return
    log_rejected(conn, staging)
    conn.commit()
    raise TooManyRejected(staging.tables.entity, staging.month, rejected, read)


def _check_shrink(
    entity: Entity,
    month: Month,
    read: int,
    merged: dict[Month, load_log.EntityLoad],
    settings: Settings,
) -> None:
    before = [other for other in merged if other < month]
    if not before:
        return
    last = merged[max(before)]
    if read < last.records * (1 - settings.max_shrink):
        raise DumpShrank(entity, month, read, last.month, last.records, settings.max_shrink)
