"""The merge of a staged entity into its tables, and the report of the load."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from discogs.database import load_log
from discogs.database.connection import Connect, Connection, explain
from discogs.database.keys import KeySettings, build_keys
from discogs.database.load_log import StagedShard
from discogs.database.locking import LockRetry, advisory_lock, merge_lock, outwait_snapshots
from discogs.database.merging import (
    Merged,
    MonthNeighbours,
    merge_rows,
    skip_removals,
)
from discogs.database.not_loaded import store_left_out, store_rejected, store_unread
from discogs.database.promotion import is_promotable, promote
from discogs.database.staging import Staging, leftovers
from discogs.load.drift import FILLED, drift
from discogs.load.errors import DumpRefused, StagingStale
from discogs.load.guards import check_entity, staged_counts
from discogs.load.stage import UNREAD, staging_of
from discogs.progress import OnProgress, Parts
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking.model import RunIdentity
from discogs.tracking.report import LAST_LOAD, EntityReport

log = logging.getLogger(__name__)

#: Seconds that a merge waits for another merge of the same entity.
_LOCK_SECONDS = 600
#: Seconds that a first load waits for readers before swapping its tables in.
SWAP_SECONDS = 3600.0
#: Seconds that a merge waits for locks on the staging tables, which the connection of a killed
#: stage task may still hold.
_STAGING_SECONDS = 60


def merge(
    connect: Connect,
    *,
    entity: Entity,
    month: Month,
    settings: Settings,
    allow_shrink: bool = False,
    swap_seconds: float = SWAP_SECONDS,
    run: RunIdentity | None = None,
    on_progress: OnProgress | None = None,
) -> EntityReport:
    """Merge the staged rows of an entity, in one transaction.

    Can be called again at any time: if the month is already merged and nothing is staged, the
    report of its last load is returned.

    :param allow_shrink: accept a dump that has far fewer records than the month before, or none.
    :param swap_seconds: how long a first load waits for readers before swapping its tables in.
    :param run: the run, for the load log.
    :returns: what this load did.
    :raises NotStaged: when a shard is missing.
    :raises StagingStale: when the shards must be staged again: another month was merged or the
        tables were altered since, or a crash of the server has emptied the staging tables.
    :raises LockBusy: when the tables are used by others for too long to be swapped.
    :raises DumpRefused: when a limit is exceeded that was not when all entities were checked.
    """
    staging = staging_of(settings, entity, month)
    job = _Job(connect, staging, settings, allow_shrink, swap_seconds, run, on_progress)
    try:
        with connect() as conn:
            key = merge_lock(settings.schema, entity)
            with advisory_lock(conn, key, wait=_LOCK_SECONDS):
                while True:
                    try:
                        return _merge(conn, job)
                    except psycopg.errors.DeadlockDetected as error:
                        # Both merges of a deadlock add placeholders; the other one goes on now.
                        log.info("Merging %s of %s again: %s", entity, month, error)
                        conn.rollback()
    except psycopg.Error as error:
        raise explain(error) from error


def discard_staging(connect: Connect, settings: Settings, needed: Collection[Month]) -> list[str]:
    """Drop the staging tables that no month needs any more.

    :param needed: months whose staging tables are kept: those at work, and failed ones, which can
        continue from their staged rows.
    :returns: the names of the dropped tables.
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


def month_report(connect: Connect, entity: Entity, month: Month) -> dict[str, Any]:
    """The totals of all loads of a month, with the report of its last load."""
    try:
        with connect() as conn:
            found = load_log.reports(conn, entity, month)
    except psycopg.Error as error:
        raise explain(error) from error
    loads = [EntityReport.from_dict(entity, report) for report in found]
    return {**EntityReport.of_loads(loads).as_dict(), LAST_LOAD: loads[-1].as_dict()}


@dataclass(frozen=True)
class _Job:
    """The arguments of :func:`merge`."""

    connect: Connect
    staging: Staging
    settings: Settings
    allow_shrink: bool
    swap_seconds: float
    run: RunIdentity | None
    on_progress: OnProgress | None


def _merge(conn: Connection, job: _Job) -> EntityReport:
    started, began = time.monotonic(), dt.datetime.now(dt.timezone.utc)
    connect, staging, settings = job.connect, job.staging, job.settings
    entity, month = staging.tables.entity, staging.month
    merged = load_log.merged_months(conn, entity)
    shards = load_log.staged(conn, entity, month)
    if not shards and month in merged:
        return EntityReport.from_dict(entity, merged[month].report)
    counts = staged_counts(entity, month, shards)
    claims = _check_fresh(conn, staging, shards)
    # The guards were checked before the first merge; another month's merge may have changed them.
    problems = check_entity(conn, entity, month, counts, settings, job.allow_shrink)
    if problems:
        raise DumpRefused(month, problems)
    conn.commit()
    first = not merged and staging.is_logged(conn) and is_promotable(conn, staging)
    conn.commit()
    done, held = None, 0
    if first:
        keys = KeySettings.of(settings)
        log.info(
            "The tables of the %s are empty: keys are built on the staging tables, which are then"
            " swapped in.",
            entity,
        )
        build_keys(connect, staging, keys, claims, job.on_progress)
        retry = LockRetry(entity, job.swap_seconds)
        parts = Parts("merge", str(entity), 1, job.on_progress)
        with parts.part("swap the new tables in for the empty ones"):
            outwait_snapshots(conn, retry)
            staging.lock(conn, claims, _STAGING_SECONDS)
            placeholders = promote(conn, staging, retry)
        if placeholders is not None:
            added = sum(shard.report["changed"] for shard in shards)
            done = Merged(added, placeholders_added=placeholders)
    if done is None:
        first = False
        staging.lock(conn, claims, _STAGING_SECONDS)
        staging.drop_keys(conn)
        unsure = [load.month for load in merged.values() if load.report.get("unidentified")]
        neighbours = MonthNeighbours.among(month, merged, unsure)
        if any(shard.report.get("unidentified") for shard in shards):
            held = skip_removals(conn, staging)
        done = merge_rows(
            conn,
            staging,
            neighbours,
            settings.maintenance_memory,
            job.on_progress,
            old_values=settings.old_values,
        )
        if neighbours.newest and not neighbours.first:
            unread = (shard.report.get(UNREAD, []) for shard in shards)
            store_unread(conn, staging, list(chain.from_iterable(unread)))
    report = _report(entity, shards, done, first, time.monotonic() - started, began)
    found = drift(
        conn,
        entity,
        month,
        merged,
        _counted(shards, FILLED),
        unchanged=report.total("unchanged"),
        parsed=sum(int(shard.report["changed"]) for shard in shards),
    )
    report = replace(report, removals_held=held, missing=found.missing, appeared=found.appeared)
    _warn(report)
    store_rejected(conn, staging)
    store_left_out(conn, staging)
    load_log.record_load(
        conn,
        entity,
        month,
        number=load_log.generation(conn, entity) + 1,
        records=counts.read,
        report={**report.as_dict(), FILLED: found.filled},
        run=(job.run.dag_id, job.run.run_id) if job.run is not None else None,
    )
    load_log.forget_staged(conn, entity, month)
    staging.drop(conn)
    conn.commit()
    return report


def _report(
    entity: Entity,
    shards: Sequence[StagedShard],
    done: Merged,
    first: bool,
    merge_seconds: float,
    merge_began: dt.datetime,
) -> EntityReport:
    def total(name: str) -> int:
        return sum(int(shard.report[name]) for shard in shards)

    stage_seconds = max(float(shard.report["seconds"]) for shard in shards)
    return EntityReport(
        entity=entity,
        read=total("read"),
        unchanged=total("unchanged"),
        inserted=done.added,
        updated=done.changed,
        removed=done.removed,
        restored=done.restored,
        rejected=total("rejected"),
        same=total("changed") - done.added - done.changed - done.restored,
        rows=total("rows"),
        bytes=max(int(shard.report["unpacked_bytes"]) for shard in shards),
        seconds=round(stage_seconds + merge_seconds, 3),
        stage_seconds=stage_seconds,
        merge_seconds=round(merge_seconds, 3),
        first_load=first,
        sha256=shards[0].report.get("sha256"),
        placeholders_added=done.placeholders_added,
        placeholders_dropped=done.placeholders_dropped,
        filtered=total("filtered"),
        filter=shards[0].report["filter"] or None,
        unmapped=_counted(shards, "unmapped"),
        invalid_values=_counted(shards, "invalid_values"),
        replaced_characters=sum(shard.report.get("replaced_characters", 0) for shard in shards),
        unidentified=sum(shard.report.get("unidentified", 0) for shard in shards),
        steps=[
            *(
                _step("stage", shard.report["started_at"], shard.report["seconds"], shard.shard)
                for shard in shards
                if shard.report.get("started_at")
            ),
            _step("merge", merge_began.isoformat(timespec="milliseconds"), merge_seconds),
        ],
    )


def _counted(shards: Sequence[StagedShard], name: str) -> dict[str, int]:
    """The counts of all shards by path, added up."""
    found = (Counter[str](shard.report.get(name, {})) for shard in shards)
    return dict(sum(found, Counter[str]()))


def _warn(report: EntityReport) -> None:
    if report.removals_held:
        log.warning(
            "%s: no record is marked as removed, though %d are absent from the dump, since it has"
            " %d rejected records whose ids cannot be read.",
            report.entity,
            report.removals_held,
            report.unidentified,
        )
    for what, paths in (("lacks", report.missing), ("has for the first time", report.appeared)):
        if paths:
            listed = ", ".join(f"{path} ({number:,})" for path, number in paths.items())
            log.warning("The dump of %s %s: %s", report.entity, what, listed)


def _step(step: str, started_at: str, seconds: float, shard: int = 0) -> dict[str, Any]:
    """The start and duration of a step of a load, for the timeline of the month."""
    seconds = round(seconds, 3)
    return {"step": step, "shard": shard, "started_at": started_at, "seconds": seconds}


def _check_fresh(
    conn: Connection, staging: Staging, shards: Sequence[StagedShard]
) -> dict[int, UUID]:
    """Check that the staged shards fit each other and the tables.

    :returns: the claims of the shards.
    :raises StagingStale: when they must be staged again.
    """
    entity, month = staging.tables.entity, staging.month
    generation = load_log.generation(conn, entity)
    if any(shard.generation != generation for shard in shards):
        raise StagingStale(entity, month, "another month was merged after it was staged")
    if staging.is_outdated(conn):
        raise StagingStale(entity, month, "the tables were altered after it was staged")
    if len({shard.report.get("sha256") for shard in shards}) > 1:
        raise StagingStale(entity, month, "its shards come from different files")
    if len({shard.report["filter"] for shard in shards}) > 1:
        raise StagingStale(entity, month, "its shards were staged with different filters")
    claims = staging.completed(conn)
    lost = sorted({shard.shard for shard in shards} - set(claims))
    if lost:
        raise StagingStale(
            entity,
            month,
            f"the rows of shard {', '.join(str(number + 1) for number in lost)} are lost, since"
            " PostgreSQL empties unlogged tables when it restarts after a crash",
        )
    return claims
