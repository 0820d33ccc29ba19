"""Guards: limits that a staged month must keep before any of it is merged.

Discogs has published broken dumps, with checksums that match. The guards of all entities are
checked before the first merge, so that a month is merged completely or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from discogs.database import load_log
from discogs.database.connection import Connect, Connection, explain
from discogs.database.not_loaded import store_rejected
from discogs.load.errors import DumpRefused, NotStaged
from discogs.load.limits import PreviousMonth, RecordCounts, too_few_records, too_many_rejected
from discogs.load.stage import staging_of
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings


def check_staged(
    connect: Connect,
    entities: Sequence[Entity],
    month: Month,
    settings: Settings,
    *,
    allow_shrink: bool = False,
) -> None:
    """Check the guards of all entities that are to be merged.

    An entity that is already merged, with nothing staged, is skipped.

    :param allow_shrink: accept dumps that have far fewer records than the month before, or none.
    :raises NotStaged: when a shard is missing.
    :raises DumpRefused: naming every limit that is exceeded. If too many records were rejected,
        they can be read in ``rejected_records``.
    """
    problems: list[str] = []
    try:
        with connect() as conn:
            for entity in entities:
                shards = load_log.staged(conn, entity, month)
                if shards or month not in load_log.merged_months(conn, entity):
                    counts = staged_counts(entity, month, shards)
                    problems += check_entity(conn, entity, month, counts, settings, allow_shrink)
    except psycopg.Error as error:
        raise explain(error) from error
    if problems:
        raise DumpRefused(month, problems)


def staged_counts(
    entity: Entity, month: Month, shards: Sequence[load_log.StagedShard]
) -> RecordCounts:
    """Add up the counts of an entity's shards.

    :raises NotStaged: when one is missing.
    """
    expected = shards[0].shards if shards else 1
    missing = sorted(set(range(expected)) - {shard.shard for shard in shards})
    if missing:
        raise NotStaged(entity, month, missing, expected)
    return RecordCounts(
        read=sum(int(shard.report["read"]) for shard in shards),
        rejected=sum(int(shard.report["rejected"]) for shard in shards),
        filtered=sum(int(shard.report["filtered"]) for shard in shards),
        filter=str(shards[0].report["filter"]) if shards else "",
    )


def check_entity(
    conn: Connection,
    entity: Entity,
    month: Month,
    counts: RecordCounts,
    settings: Settings,
    allow_shrink: bool,
) -> list[str]:
    """A clause for each limit that an entity exceeds.

    If too many records were rejected, they are stored and committed in ``rejected_records``.
    """
    problems = too_many_rejected(entity, counts, settings, "the table rejected_records")
    if problems:
        store_rejected(conn, staging_of(settings, entity, month))
        conn.commit()
    if not allow_shrink:
        loads = load_log.merged_months(conn, entity).values()
        before = [PreviousMonth(load.month, load.records) for load in loads if load.month < month]
        problems += too_few_records(entity, counts, settings, before[-1] if before else None)
    return problems
