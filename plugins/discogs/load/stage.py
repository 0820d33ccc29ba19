"""Staging of one shard of an entity: from the ``.gz`` file to rows in the staging tables."""

from __future__ import annotations

import datetime as dt
import logging
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

import numpy as np
import psycopg

from discogs.database.connection import Connect, Connection, explain
from discogs.database.locking import advisory_lock
from discogs.database.staging import Staging
from discogs.load.decision import Counts, absent_ids, decide
from discogs.load.drift import FILLED
from discogs.load.pipeline import Pipeline
from discogs.load.shard import LOCK_SECONDS, complete, prepare
from discogs.progress import OnProgress, Progress, Ticker
from discogs.records.parser import Parser
from discogs.records.prefetch import short_switch_interval
from discogs.records.reader import read
from discogs.records.seen_ids import SeenIds
from discogs.schema.entities import Entity, Month
from discogs.schema.filters import Filter
from discogs.schema.mapping import MAPPINGS, TABLES
from discogs.schema.seed import fingerprint_seed
from discogs.settings import MIB, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sizes:
    """Sizes in bytes of XML.

    :param block: parsed at a time.
    :param flush: parsed by a worker between two COPYs.
    :param record: a longer record is rejected without being read.
    """

    block: int = 4 * MIB
    flush: int = 16 * MIB
    record: int = 16 * MIB


SIZES = Sizes()

#: Key of a shard's stored report: the ids of the records that could not be read.
UNREAD = "unread"


@dataclass(frozen=True)
class StageReport:
    """What the staging of a shard did."""

    entity: str
    month: str
    #: Which shard, from 0.
    shard: int
    shards: int
    #: Records of the shard in the file.
    read: int
    unchanged: int
    #: Records that were parsed and staged.
    changed: int
    rejected: int
    #: Stored records that are absent from the dump.
    absent: int
    rows: int
    #: Bytes read from the whole file: XML, and compressed.
    unpacked_bytes: int
    packed_bytes: int
    #: Bytes sent by COPY.
    copied_bytes: int
    seconds: float
    first_load: bool
    #: The sum over all workers.
    copy_seconds: float = 0.0
    #: Elements, attributes and texts that the mapping does not read, in the staged records.
    unmapped: dict[str, int] = field(default_factory=dict)
    #: Values that do not fit their column and became NULL, by path.
    invalid_values: dict[str, int] = field(default_factory=dict)
    #: Characters that PostgreSQL does not accept and that became U+FFFD.
    replaced_characters: int = 0
    #: The verified SHA-256 of the ``.gz`` file.
    sha256: str | None = None
    #: How many records the filter left out, and its conditions.
    filtered: int = 0
    filter: str = ""
    #: When staging began, by the worker's clock, in UTC.
    started_at: str | None = None
    #: Rejected records whose id cannot be read, so that any stored record may be one of them.
    unidentified: int = 0

    def __str__(self) -> str:
        """A line for a log."""
        shard = f", shard {self.shard + 1} of {self.shards}" if self.shards > 1 else ""
        filtered = f", {self.filtered:,} left out by {self.filter}" if self.filter else ""
        return (
            f"{self.entity}{shard}: {self.read:,} records read: {self.unchanged:,} unchanged,"
            f" {self.changed:,} staged as {self.rows:,} rows, {self.rejected:,} rejected{filtered};"
            f" {self.seconds:.1f} s, {self.copy_seconds:.1f} s in COPY over all workers"
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def staging_of(settings: Settings, entity: Entity, month: Month) -> Staging:
    """The staging tables of an entity and a month."""
    return Staging(settings.staging_schema, settings.schema, TABLES[entity], month)


@dataclass(frozen=True)
class _Job:
    """The arguments of :func:`stage`."""

    connect: Connect
    name: str
    entity: Entity
    month: Month
    settings: Settings
    shard: int
    shards: int
    sha256: str | None
    total_bytes: int | None
    on_progress: OnProgress | None
    sizes: Sizes

    @property
    def staging(self) -> Staging:
        return staging_of(self.settings, self.entity, self.month)


def stage(
    connect: Connect,
    packed: BinaryIO,
    *,
    name: str,
    entity: Entity,
    month: Month,
    settings: Settings,
    shard: int = 0,
    shards: int = 1,
    sha256: str | None = None,
    total_bytes: int | None = None,
    on_progress: OnProgress | None = None,
    sizes: Sizes = SIZES,
) -> StageReport:
    """Stage one shard of a dump, in place of what an earlier attempt left.

    :param packed: the ``.gz`` file, at its first byte; read once, as a stream.
    :param name: the file's name, for messages.
    :param sha256: the file's verified SHA-256, recorded with the rows as their source.
    :param total_bytes: the size of the ``.gz`` file, for progress.
    :raises DumpError: when the file is damaged, cut short or not the expected dump.
    :raises DatabaseUnavailable: when the connection is lost.
    :raises LockBusy: when an earlier attempt still holds the shard.
    :raises StagingTaken: when a later attempt has taken the shard.
    """
    job = _Job(
        connect=connect,
        name=name,
        entity=entity,
        month=month,
        settings=settings,
        shard=shard,
        shards=shards,
        sha256=sha256,
        total_bytes=total_bytes,
        on_progress=on_progress,
        sizes=sizes,
    )
    try:
        with connect() as conn:
            key = f"stage:{settings.schema}:{entity}:{month}:{shard}"
            with advisory_lock(conn, key, wait=LOCK_SECONDS):
                return _stage(conn, packed, job)
    except psycopg.Error as error:
        raise explain(error) from error


def _stage(conn: Connection, packed: BinaryIO, job: _Job) -> StageReport:
    started, ticker = time.monotonic(), Ticker()
    began = dt.datetime.now(dt.timezone.utc).isoformat(timespec="milliseconds")
    shard = prepare(conn, job.staging, job.shard, job.shards)
    conditions = Filter.parse(job.settings.filter).of(job.entity)
    pipeline = Pipeline(
        job.connect,
        job.staging,
        Parser(job.entity, fast=job.settings.engine == "fast"),
        workers=job.settings.workers,
        claims=shard.claims,
        block_bytes=job.sizes.block,
        flush_bytes=job.sizes.flush,
        conditions=conditions,
    )
    counts, seen = Counts(), SeenIds()
    records = read(
        packed,
        job.name,
        job.entity,
        max_record_bytes=job.sizes.record,
        shard=job.shard,
        shards=job.shards,
        is_stored=shard.index.holds,
        seed=fingerprint_seed(MAPPINGS[job.entity], str(conditions)),
    )
    with short_switch_interval(), closing(records), pipeline:
        for scanned in records:
            first, stored = seen.see(scanned.ids), shard.index.lookup(scanned.ids)
            decision = decide(
                scanned,
                first,
                stored,
                job.month,
                newest=shard.newest,
                left_out=shard.left_out,
            )
            counts.count(scanned, decision)
            for block in scanned.blocks(decision.keep, job.sizes.block):
                pipeline.put(block)
            if ticker.due():
                _report_progress(job, packed, counts, started)
        written = pipeline.finish()
    _report_progress(job, packed, counts, started)
    # A rejected record is in the dump, so its stored record is not absent.
    unread = np.array([r.record_id for r in counts.rejected if r.record_id], np.int32)
    unread = unread[seen.see(unread)]
    absent = absent_ids(shard.index, seen, job.month, newest=shard.newest)
    rejected = counts.rejected + counts.repeated + written.rejected
    left_out = np.sort(np.concatenate([np.empty(0, np.int32), *written.left_out]))
    report = StageReport(
        entity=str(job.entity),
        month=str(job.month),
        shard=job.shard,
        shards=job.shards,
        read=counts.read,
        unchanged=counts.unchanged,
        changed=counts.kept - len(written.rejected) - len(left_out),
        rejected=len(rejected),
        absent=len(absent),
        rows=written.rows,
        unpacked_bytes=counts.unpacked_bytes,
        packed_bytes=_position(packed),
        copied_bytes=written.copied_bytes,
        seconds=round(time.monotonic() - started, 3),
        first_load=shard.first_load,
        copy_seconds=round(written.copy_seconds, 3),
        unmapped=dict(written.findings.unmapped),
        invalid_values=dict(written.findings.invalid),
        replaced_characters=written.findings.replaced,
        sha256=job.sha256,
        filtered=len(left_out),
        filter=str(conditions),
        started_at=began,
        unidentified=sum(r.record_id is None and r.may_be_record for r in rejected),
    )
    for line in written.findings.warnings(job.name):
        log.warning("%s", line)
    complete(
        conn,
        shard,
        absent=absent,
        left_out=left_out,
        names=written.names,
        referenced=written.referenced,
        rejected=rejected,
        report={
            **report.as_dict(),
            FILLED: {path: count for path, count in written.findings.filled.items() if count},
            UNREAD: [*unread.tolist(), *(r.record_id for r in written.rejected)],
        },
    )
    return report


def _report_progress(job: _Job, packed: BinaryIO, counts: Counts, started: float) -> None:
    if job.on_progress is not None:
        job.on_progress(
            Progress(
                step="stage",
                name=str(job.entity),
                done=_position(packed),
                total=job.total_bytes,
                seconds=time.monotonic() - started,
                records=counts.read,
                detail=f"{counts.unchanged:,} unchanged, {counts.kept:,} changed",
                shard=job.shard,
                shards=job.shards,
            )
        )


def _position(packed: BinaryIO) -> int:
    """Bytes read from the ``.gz`` file; 0 when that is not known."""
    return packed.tell() if packed.seekable() else 0
