"""Guards: what a staged month must fulfil before anything of it is merged.

Broken dumps are published at times, with checksums that match. The guards of all entities are
checked before the first merge, so that a month is merged whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from discogs.database import load_log
from discogs.database.connection import Connect, Connection, explain
from discogs.database.merging import log_rejected
from discogs.load.errors import DumpRefused, NotStaged
from discogs.load.limits import Before, RecordCounts, too_few_records, too_many_rejected
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
    """Check the guards of every entity that waits to be merged.

    An entity whose merge is done already, and which has nothing staged, is left out.

    :param allow_shrink: accept dumps that have far fewer records than the month before, or none.
    :raises NotStaged: when a shard is missing.
    :raises DumpRefused: naming every guard that does not hold. Rejected records, if they are too
        many, are in ``rejected_records`` then.
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
    """Sum up the shards of an entity.

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
    """The guards that do not hold for an entity, a clause each."""
    problems = too_many_rejected(entity, counts, settings, "the table rejected_records")
    if problems:
        log_rejected(conn, staging_of(settings, entity, month))
        conn.commit()
    if not allow_shrink:
        loads = load_log.merged_months(conn, entity).values()
        before = [Before(load.month, load.records) for load in loads if load.month < month]
        problems += too_few_records(entity, counts, settings, before[-1] if before else None)
    return problems
