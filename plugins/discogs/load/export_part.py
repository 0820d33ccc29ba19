"""A part of an exported month: one shard of an entity's file, which any process may write.

A report beside the part, written last, lists its files for the process that publishes the month.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from discogs.dumps.storage import DumpStorage
from discogs.load.export_folder import ExportFolder, writing_path
from discogs.load.manifest import EntityExport
from discogs.load.options import PlannedFile
from discogs.load.parquet import (
    Exported,
    ParquetPipeline,
    ParquetSizes,
    TableWriter,
    WrittenFile,
)
from discogs.progress import OnProgress, Progress, Ticker
from discogs.records.block import Rejected
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

REJECTED = "rejected_records"

_REJECTED_SCHEMA = pa.schema(
    [
        pa.field("entity", pa.string(), nullable=False),
        pa.field("byte_offset", pa.int64(), nullable=False),
        pa.field("record_id", pa.int32()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("xml", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class ExportSizes:
    """Sizes in bytes of XML, as in :class:`discogs.load.stage.Sizes`, and those of the files."""

    block: int = 4 * MIB
    record: int = 16 * MIB
    parquet: ParquetSizes = field(default_factory=ParquetSizes)


SIZES = ExportSizes()


@dataclass(frozen=True)
class Part:
    """The records of an entity's file whose ``id mod shards`` is ``shard``."""

    entity: Entity
    shard: int = 0
    shards: int = 1

    def __str__(self) -> str:
        if self.shards == 1:
            return str(self.entity)
        return f"{self.entity}, shard {self.shard + 1} of {self.shards}"

    @property
    def name(self) -> str:
        """The name of the part's folder, and of the report beside it."""
        return f"{self.entity}-{self.shard + 1}-of-{self.shards}"


@dataclass(frozen=True)
class PartReport:
    """What a part contains.

    :param filter: the filter's conditions for the entity.
    :param names: the genres and styles that the rows refer to: names by id, by table.
    :param tables: the files of each table, in the part's folder.
    """

    counts: EntityExport
    filter: str
    names: dict[str, dict[int, str]]
    tables: dict[str, list[WrittenFile]]

    def __str__(self) -> str:
        """For a log line, after the part's name."""
        counts, files = self.counts, [file for files in self.tables.values() for file in files]
        filtered = f", {counts.filtered:,} left out by {self.filter}" if self.filter else ""
        return (
            f"{counts.read:,} records read: {counts.exported:,} written as"
            f" {sum(file.rows for file in files):,} rows, {counts.rejected:,} rejected{filtered};"
            f" {sum(file.bytes for file in files) / 1e6:,.1f} MB in {counts.seconds:.1f} s"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PartReport:
        """What ``as_dict`` wrote."""
        return cls(
            counts=EntityExport(**values["counts"]),
            filter=values["filter"],
            names={
                kind: {int(number): name for number, name in names.items()}
                for kind, names in values["names"].items()
            },
            tables={
                table: [WrittenFile(**file) for file in files]
                for table, files in values["tables"].items()
            },
        )


def write_part(
    target: ExportFolder,
    storage: DumpStorage,
    planned: PlannedFile,
    part: Part,
    settings: Settings,
    *,
    sha256: str | None,
    on_progress: OnProgress | None = None,
    sizes: ExportSizes = SIZES,
) -> PartReport:
    """Write a part, in place of what an earlier attempt left.

    :param sha256: the verified SHA-256 of the ``.gz`` file.
    :raises DumpError: when the file is damaged, cut short or not the expected dump.
    :raises ExportFailed: when the part cannot be written.
    """
    month = planned.dump.month
    with target.explained():
        target.delete(_report_name(month, part))
        target.empty(writing_path(month, part.name))
        job = _Job(target, storage, planned, part, settings, on_progress, sizes)
        report = job.write(sha256)
        text = json.dumps(report.as_dict(), indent=2) + "\n"
        target.replace(_report_name(month, part), text.encode())
    return report


def read_part(target: ExportFolder, month: Month, part: Part) -> PartReport | None:
    """The report of a part; None when the part is missing or incomplete."""
    text = target.read(_report_name(month, part))
    return PartReport.from_dict(json.loads(text)) if text is not None else None


def _report_name(month: Month, part: Part) -> str:
    return writing_path(month, f"{part.name}.json")


@dataclass(frozen=True)
class _Job:
    """The writing of one part."""

    target: ExportFolder
    storage: DumpStorage
    planned: PlannedFile
    part: Part
    settings: Settings
    on_progress: OnProgress | None
    sizes: ExportSizes

    def where(self, table: str) -> str:
        return writing_path(self.planned.dump.month, f"{self.part.name}/{table}")

    def write(self, sha256: str | None) -> PartReport:
        started, name, entity = time.monotonic(), self.planned.name, self.part.entity
        with ThreadPoolExecutor(1, thread_name_prefix="export") as pool:
            rejects = TableWriter(
                self.target, self.where(REJECTED), _REJECTED_SCHEMA, pool, self.sizes.parquet
            )

            def reject(rejected: list[Rejected]) -> None:
                rejects.add(_rejected_rows(entity, rejected))

            try:
                with self.storage.open(name) as packed:
                    count, exported = self._records(packed, reject)
                files = {**exported.files, REJECTED: rejects.finish()}
            finally:
                rejects.discard()
        findings = exported.findings
        for line in findings.warnings(name):
            log.warning("%s", line)
        counts = EntityExport(
            file=name,
            sha256=sha256,
            verified=self.planned.sha256 is not None,
            read=count,
            exported=exported.records,
            rejected=exported.rejected,
            filtered=exported.filtered,
            seconds=round(time.monotonic() - started, 3),
            unmapped=dict(sorted(findings.unmapped.items())),
            invalid_values=dict(sorted(findings.invalid.items())),
        )
        conditions = Filter.parse(self.settings.filter).of(entity)
        return PartReport(counts, str(conditions), exported.names, files)

    def _records(
        self, packed: BinaryIO, reject: Callable[[list[Rejected]], None]
    ) -> tuple[int, Exported]:
        """Write the part's records: the number of records read, and what was written."""
        part, settings = self.part, self.settings
        started, ticker = time.monotonic(), Ticker()
        count = rejected = 0

        def show() -> None:
            if self.on_progress is not None:
                self.on_progress(
                    Progress(
                        step="export",
                        name=str(part.entity),
                        done=packed.tell() if packed.seekable() else 0,
                        total=self.planned.file.size,
                        seconds=time.monotonic() - started,
                        records=count,
                        shard=part.shard,
                        shards=part.shards,
                    )
                )

        records = read(
            packed,
            self.planned.name,
            part.entity,
            max_record_bytes=self.sizes.record,
            shard=part.shard,
            shards=part.shards,
            seed=fingerprint_seed(MAPPINGS[part.entity]),
        )
        pipeline = ParquetPipeline(
            self.target,
            self.where,
            TABLES[part.entity],
            Parser(part.entity, fast=settings.engine == "fast"),
            workers=settings.workers,
            block_bytes=self.sizes.block,
            conditions=Filter.parse(settings.filter).of(part.entity),
            reject=reject,
            sizes=self.sizes.parquet,
        )
        seen = SeenIds()
        with short_switch_interval(), closing(records), pipeline:
            for scanned in records:
                first = seen.see(scanned.ids)
                unread = scanned.rejected + scanned.repeated(np.flatnonzero(~first))
                count += len(scanned.ids) + len(scanned.rejected)
                rejected += len(unread)
                reject(unread)
                for block in scanned.blocks(first, self.sizes.block):
                    pipeline.put(block)
                if ticker.due():
                    show()
            exported = pipeline.finish()
        show()
        exported.rejected += rejected
        return count, exported


def _rejected_rows(entity: Entity, rejected: Sequence[Rejected]) -> pa.RecordBatch:
    rows = [
        {
            "entity": str(entity),
            "byte_offset": each.offset,
            "record_id": each.record_id,
            "reason": each.reason,
            "xml": each.text,
        }
        for each in rejected
    ]
    return pa.RecordBatch.from_pylist(rows, _REJECTED_SCHEMA)
