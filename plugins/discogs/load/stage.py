"""Staging one shard of one entity: from the ``.gz`` to rows in the staging tables."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
from psycopg import sql

from discogs.database import load_log
from discogs.database.connection import Connect, Connection, explain
from discogs.database.copying import copy_batches
from discogs.database.fingerprint_index import (
    LIVE,
    PLACEHOLDER,
    FingerprintIndex,
    month_number,
    read_fingerprints,
)
from discogs.database.load_log import StagedShard
from discogs.database.locking import advisory_lock
from discogs.database.promotion import is_promotable
from discogs.database.staging import ABSENT, NAMES, REJECTED, Staging
from discogs.load.pipeline import Pipeline, Written
from discogs.load.prefetch import prefetched, quick_handover
from discogs.progress import OnProgress, Progress, Ticker
from discogs.records.block import REJECTED_XML_BYTES, Block, Rejected, gathered
from discogs.records.parser import Parser
from discogs.records.scanner import Scanned, Scanner
from discogs.records.schema_drift import SchemaDrift
from discogs.records.seen_ids import SeenIds
from discogs.records.splitter import split, unpacked
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from discogs.settings import MIB, Settings

log = logging.getLogger(__name__)

#: How many seconds a shard waits for another try of itself to be gone.
_LOCK_SECONDS = 60


@dataclass(frozen=True)
class Sizes:
    """How many bytes of XML go together.

    :param block: handed to a parser at a time.
    :param flush: parsed by a worker between two COPYs.
    :param record: a longer record is rejected unread.
    """

    block: int = 4 * MIB
    flush: int = 16 * MIB
    record: int = 16 * MIB


SIZES = Sizes()


@dataclass(frozen=True)
class StageReport:
    """What staging one shard did; ``changed`` counts the records that were parsed and staged."""

    entity: str
    month: str
    shard: int
    shards: int
    read: int
    unchanged: int
    changed: int
    rejected: int
    absent: int
    rows: int
    unpacked_bytes: int
    packed_bytes: int
    copied_bytes: int
    seconds: float
    first_load: bool
    #: Of all workers together.
    copy_seconds: float = 0.0
    #: Elements, attributes and texts that the mapping does not know, in the records looked into.
    unmapped: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def staging_of(settings: Settings, entity: Entity, month: Month) -> Staging:
    """Where an entity's rows of a month wait."""
    return Staging(settings.staging_schema, settings.schema, TABLES[entity], month)


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
    total_bytes: int | None = None,
    on_progress: OnProgress | None = None,
    sizes: Sizes = SIZES,
) -> StageReport:
    """Stage one shard of a dump, in place of whatever an earlier try of it left.

    :param packed: the ``.gz``, from its first byte; read once, never held whole.
    :param name: the file's name, for messages.
    :param total_bytes: the packed size, for progress.
    :raises DumpError: when the file is not the whole dump that it should be.
    :raises DatabaseUnavailable: when the connection is lost.
    :raises LockBusy: when an earlier try does not let go of the shard.
    :raises StagingTaken: when a later try has taken the shard.
    """
    stager = _Stager(connect, name, entity, month, settings, shard, shards, sizes)
    stager.progress = (on_progress, total_bytes)
    try:
        with connect() as conn:
            key = f"stage:{settings.schema}:{entity}:{month}:{shard}"
            with advisory_lock(conn, key, wait=_LOCK_SECONDS):
                return stager.run(conn, packed)
    except psycopg.Error as error:
        raise explain(error) from error


class _Stager:
    progress: tuple[OnProgress | None, int | None] = (None, None)

    def __init__(
        self,
        connect: Connect,
        name: str,
        entity: Entity,
        month: Month,
        settings: Settings,
        shard: int,
        shards: int,
        sizes: Sizes,
    ) -> None:
        self.sizes = sizes
        self.connect = connect
        self.name = name
        self.entity = entity
        self.month = month
        self.settings = settings
        self.shard = shard
        self.shards = shards
        self.staging = staging_of(settings, entity, month)
        self.known = FingerprintIndex()
        self.newest = True
        self.first = False
        self.seen = SeenIds()
        self.probe = SchemaDrift(entity)
        self.started = time.monotonic()
        self.read = self.unchanged = self.changed = self.unpacked_bytes = 0
        self.rejected: list[Rejected] = []

    def run(self, conn: Connection, packed: BinaryIO) -> StageReport:
        try:
            generation, claim = self._prepare(conn)
        except psycopg.errors.LockNotAvailable:
            conn.rollback()
            raise self.staging.busy(conn) from None
        pipeline = Pipeline(
            self.connect,
            self.staging,
            Parser(self.entity, fast=self.settings.engine == "fast"),
            workers=self.settings.workers,
            flush_bytes=self.sizes.flush,
            claims=claim,
        )
        with quick_handover():
            written = pipeline.run(self._sampled(packed))
        self.rejected += written.rejected
        absent = self._absent()
        self.staging.complete(conn, claim)
        self._write_extras(conn, written, absent)
        report = StageReport(
            entity=str(self.entity),
            month=str(self.month),
            shard=self.shard,
            shards=self.shards,
            read=self.read,
            unchanged=self.unchanged,
            changed=self.changed - len(written.rejected),
            rejected=len(self.rejected),
            absent=len(absent),
            rows=written.rows,
            unpacked_bytes=self.unpacked_bytes,
            packed_bytes=packed.tell() if packed.seekable() else 0,
            copied_bytes=written.copied_bytes,
            seconds=round(time.monotonic() - self.started, 3),
            first_load=self.first,
            copy_seconds=round(written.copy_seconds, 3),
            unmapped=dict(self.probe.unmapped),
        )
        if report.unmapped:
            log.warning(
                "%s holds what the mapping does not know, and no table has: %s. Of the records"
                " looked into, so many hold it: %s",
                self.name,
                ", ".join(report.unmapped),
                report.unmapped,
            )
        load_log.record_staged(
            conn,
            self.entity,
            self.month,
            StagedShard(self.shard, self.shards, generation, report.as_dict()),
        )
        conn.commit()
        return report

    def _prepare(self, conn: Connection) -> tuple[int, dict[int, UUID]]:
        """Make empty staging tables for the shard, and read what the database knows."""
        # What a killed try was running ends soon after it; only somebody else's takes longer.
        conn.execute("SELECT set_config('lock_timeout', %s, false)", [f"{_LOCK_SECONDS}s"])
        conn.commit()
        lock = f"staging:{self.settings.schema}:{self.entity}:{self.month}"
        with advisory_lock(conn, lock, wait=_LOCK_SECONDS):
            generation = load_log.generation(conn, self.entity)
            others = [
                staged
                for staged in load_log.staged(conn, self.entity, self.month)
                if staged.shards != self.shards or staged.generation != generation
            ]
            if others:
                load_log.forget_staged(conn, self.entity, self.month)
                self.staging.drop(conn)
            if not self.staging.exists(conn):
                self.staging.drop(conn)
                self.staging.create(conn, logged=is_promotable(conn, self.staging))
            load_log.forget_staged(conn, self.entity, self.month, self.shard)
            conn.commit()
            claim = {self.shard: self.staging.claim(conn, self.shard)}
            self.staging.strip(conn)
            conn.commit()
        self.staging.clear_shard(conn, self.shard, self.shards)
        conn.commit()
        months = list(load_log.merged_months(conn, self.entity))
        self.newest = not months or self.month >= months[-1]
        self.known = read_fingerprints(conn, str(self.entity), self.shard, self.shards)
        self.first = not len(self.known) and self.staging.is_logged(conn)
        conn.commit()
        return generation, claim

    def _sampled(self, packed: BinaryIO) -> Iterator[Block]:
        for block in gathered(self._blocks(packed), self.sizes.block):
            self.probe.sample(block)
            yield block

    def _blocks(self, packed: BinaryIO) -> Iterator[Block]:
        """The records to parse, and everything that is counted on the way to them."""
        scanner = Scanner(self.entity, self.shard, self.shards)
        chunks = prefetched(unpacked(packed, self.name))
        ticker = Ticker()
        for piece in split(chunks, self.entity, self.name, self.sizes.record):
            self.unpacked_bytes = piece.offset + len(piece.data)
            yield from self._chosen(scanner, scanner.scan(piece))
            if ticker.due():
                self._tell(packed)
        self._tell(packed)

    def _chosen(self, scanner: Scanner, scanned: Scanned) -> Iterator[Block]:
        self.read += len(scanned.ids) + len(scanned.rejected)
        self.rejected += scanned.rejected
        # A rejected record is in the dump: it must not count as removed.
        told = np.array([r.record_id for r in scanned.rejected if r.record_id], np.int32)
        found, _ = self.known.find(told)
        self.known.see(told[found])
        keep = self._needed(scanned)
        behind = scanner.behind(scanned, keep)
        self.changed += int(np.count_nonzero(keep))
        yield from scanned.blocks(keep, self.sizes.block)
        if behind is not None:
            yield from self._chosen(scanner, scanner.scan(behind))

    def _needed(self, scanned: Scanned) -> npt.NDArray[np.bool_]:
        """Which records must be parsed; a second record of one id is rejected."""
        ids = scanned.ids
        fresh = self.seen.first(ids)
        if not fresh.all():
            for index in np.flatnonzero(~fresh).tolist():
                start, end = int(scanned.starts[index]), int(scanned.ends[index])
                self.rejected.append(
                    Rejected(
                        scanned.cut.offset + start,
                        int(ids[index]),
                        f"the id {ids[index]} stands in the file a second time",
                        scanned.cut.data[start : min(end, start + REJECTED_XML_BYTES)],
                    )
                )
        found, places = self.known.find(ids)
        if not found.any():
            return fresh
        self.known.see(ids[found])
        states = self.known.states(places)
        same = self.known.fingerprints[places] == scanned.fingerprints
        if self.newest:
            known = found & (states == LIVE) & same
        else:
            # An older month never overwrites a newer one: a live record was in the newest,
            # and a removed one knows the last month that had it.
            month = month_number(self.month)
            newer = (states == LIVE) | (states > month) | ((states == month) & same)
            known = found & (states != PLACEHOLDER) & newer
        self.unchanged += int(np.count_nonzero(known & fresh))
        needed: npt.NDArray[np.bool_] = fresh & ~known
        return needed

    def _absent(self) -> npt.NDArray[np.int32]:
        """Ids that the database has and the dump lacks, where that tells something."""
        unseen = self.known.unseen()
        states = self.known.states(self.known.find(unseen)[1])
        if self.newest:
            missing = states == LIVE
        else:
            missing = (states > LIVE) & (states < month_number(self.month))
        absent: npt.NDArray[np.int32] = unseen[missing]
        return absent

    def _write_extras(
        self, conn: Connection, written: Written, absent: npt.NDArray[np.int32]
    ) -> None:
        shard = np.full(len(absent), self.shard, np.int32)
        batch = pa.RecordBatch.from_arrays(
            [pa.array(shard), pa.array(absent)], names=["shard", "id"]
        )
        copy_batches(conn, self.staging.extra(ABSENT), [batch])
        names = [
            (self.shard, kind, number, name)
            for kind, found in written.names.items()
            for number, name in found.items()
        ]
        rejected = [
            (self.shard, r.offset, r.record_id, r.reason, _as_text(r.xml)) for r in self.rejected
        ]
        with conn.cursor() as cursor:
            for kind, columns, rows in (
                (NAMES, "shard, kind, id, name", names),
                (REJECTED, "shard, byte_offset, record_id, reason, xml", rejected),
            ):
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    self.staging.extra(kind), sql.SQL(columns)
                )
                with cursor.copy(statement) as copy:
                    for row in rows:
                        copy.write_row(row)

    def _tell(self, packed: BinaryIO) -> None:
        on_progress, total = self.progress
        if on_progress is None:
            return
        at = packed.tell() if packed.seekable() else 0
        seconds = time.monotonic() - self.started
        on_progress(
            Progress(
                step="stage",
                name=str(self.entity),
                bytes_done=at,
                total=total,
                seconds=seconds,
                records=self.read,
            )
        )


def _as_text(xml: bytes) -> str:
    """A rejected record as text that PostgreSQL takes."""
    return xml.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
