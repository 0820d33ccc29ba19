"""Exporting a month from a folder of dump files to Parquet: no database, the same rows.

The files of a month are written aside, moved to their places when all limits are kept, and named
in a manifest, which comes last: a month without one is not whole.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from discogs.load.errors import DumpRefused, FolderUnusable
from discogs.load.export_folder import ExportFolder
from discogs.load.limits import RecordCounts, too_few_records, too_many_rejected
from discogs.load.manifest import (
    EntityExport,
    ExportReport,
    MonthExported,
    manifest_name,
    month_before,
    place,
    read_manifest,
)
from discogs.load.options import PlannedFile
from discogs.load.parquet import (
    Exported,
    ParquetPipeline,
    ParquetSizes,
    TableWriter,
    WrittenFile,
)
from discogs.load.source import FolderSource
from discogs.progress import OnProgress, Progress, Ticker
from discogs.records.block import Rejected
from discogs.records.parser import Parser
from discogs.records.prefetch import short_switch_interval
from discogs.records.reader import read
from discogs.records.seen_ids import SeenIds
from discogs.schema.entities import ENTITIES, Entity, Month
from discogs.schema.filters import Filter
from discogs.schema.mapping import MAPPINGS, TABLES
from discogs.schema.seed import fingerprint_seed
from discogs.settings import MIB, Settings

log = logging.getLogger(__name__)

REJECTED = "rejected_records"

_NAMES_SCHEMA = pa.schema(
    [pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string(), nullable=False)]
)
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
    """How many bytes of XML go together, as :class:`discogs.load.stage.Sizes`, and the files."""

    block: int = 4 * MIB
    record: int = 16 * MIB
    parquet: ParquetSizes = field(default_factory=ParquetSizes)


SIZES = ExportSizes()


def export_month(
    folder: Path,
    month: Month,
    out: str | Path,
    settings: Settings,
    *,
    entities: Sequence[Entity] | None = None,
    overwrite: bool = False,
    allow_shrink: bool = False,
    on_progress: OnProgress | None = None,
    sizes: ExportSizes = SIZES,
) -> ExportReport:
    """Write a month's records as Parquet.

    :param out: a folder, or an address such as ``s3://bucket/prefix``.
    :param entities: all of them must be there; None takes whatever files the folder holds.
    :param overwrite: replace the month where it is exported already.
    :param allow_shrink: accept a dump with far fewer records than the last exported month before
        it, or none.
    :raises MonthExported: when it is exported already.
    :raises DumpRefused: when the dump does not keep the limits.
    :raises DumpError: when a file is not the whole dump that it should be.
    :raises StorageError: when the export cannot be written.
    """
    source = FolderSource(folder)
    dump = source.find(month, entities or ENTITIES)
    lacking = [str(entity) for entity in entities or () if entity not in dump.by_entity]
    if lacking:
        raise FolderUnusable(f"{folder} holds no file of {month} of: {', '.join(lacking)}.")
    target = ExportFolder(out)
    with target.explained():
        manifest = read_manifest(target, month)
        if manifest is not None and not overwrite:
            raise MonthExported(month, target, manifest)
        published = source.checksums(dump)
        planned = [
            PlannedFile(replace(dump, files=(file,)), published.get(file.name))
            for file in dump.files
        ]
        with target.writing(month) as aside:
            job = _Job(source, target, aside, month, settings, on_progress, sizes)
            try:
                report = job.run(planned, allow_shrink=allow_shrink)
            except BaseException:
                job.clean_up()
                raise
            _publish(target, aside, report)
    return report


def _publish(target: ExportFolder, aside: str, report: ExportReport) -> None:
    """Put a whole month in the place of whatever there is of it."""
    target.delete(manifest_name(report.month))
    for table in _all_tables():
        target.delete_files(place(table, report.month))
    for table, files in report.tables.items():
        for file in files:
            target.move(f"{aside}/{table}/{file.name}", place(table, report.month, file.name))
    text = json.dumps(report.as_dict(), indent=2) + "\n"
    target.replace(manifest_name(report.month), text.encode())


def _all_tables() -> list[str]:
    names = [table.name for tables in TABLES.values() for table in tables.all]
    return [*names, *_names_tables(ENTITIES), REJECTED]


def _names_tables(entities: Sequence[Entity]) -> list[str]:
    return sorted({name for entity in entities for name in TABLES[entity].names_tables})


@dataclass
class _Job:
    """The writing of one month."""

    source: FolderSource
    target: ExportFolder
    aside: str
    month: Month
    settings: Settings
    on_progress: OnProgress | None
    sizes: ExportSizes
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    tables: dict[str, list[WrittenFile]] = field(default_factory=dict)
    refused: bool = False

    def where(self, table: str) -> str:
        return f"{self.aside}/{table}"

    def run(self, planned: Sequence[PlannedFile], *, allow_shrink: bool) -> ExportReport:
        digests = {each.name: self._verify(each) for each in planned}
        entities: dict[Entity, EntityExport] = {}
        with ThreadPoolExecutor(1, thread_name_prefix="export") as pool:
            rejects = self._writer(REJECTED, _REJECTED_SCHEMA, pool)
            try:
                for each in planned:
                    entities[each.entity] = self._entity(each, digests[each.name], rejects)
                rejected = rejects.finish()
                for name in _names_tables(list(entities)):
                    writer = self._writer(name, _NAMES_SCHEMA, pool)
                    found = sorted(self.names.get(name, {}).items())
                    columns = [[number for number, _ in found], [text for _, text in found]]
                    writer.add(
                        pa.RecordBatch.from_arrays(
                            [pa.array(columns[0], pa.int64()), pa.array(columns[1], pa.string())],
                            schema=_NAMES_SCHEMA,
                        )
                    )
                    self.tables[name] = writer.finish()
            finally:
                rejects.discard()
        self.tables[REJECTED] = rejected
        self._check(entities, rejected, allow_shrink)
        return ExportReport(
            self.month,
            str(self.target),
            str(Filter.parse(self.settings.filter)),
            entities,
            self.tables,
        )

    def clean_up(self) -> None:
        """Delete what was written; of a refused month the rejected records stay."""
        try:
            for table in _all_tables():
                if not (self.refused and table == REJECTED):
                    self.target.delete_files(self.where(table))
        except Exception as error:
            # The place may be what failed; the first error is the one to raise.
            log.warning("What was written to %s is not deleted: %s", self.target, error)

    def _writer(self, name: str, schema: pa.Schema, pool: ThreadPoolExecutor) -> TableWriter:
        return TableWriter(self.target, self.where(name), schema, pool, self.sizes.parquet)

    def _verify(self, planned: PlannedFile) -> str:
        def ignore(_: Progress) -> None: ...

        self.source.fetch(planned, planned.sha256, self.on_progress or ignore)
        return self.source.verify(planned, planned.sha256)[0]

    def _entity(self, planned: PlannedFile, sha256: str, rejects: TableWriter) -> EntityExport:
        entity, started = planned.entity, time.monotonic()

        def reject(rejected: list[Rejected]) -> None:
            rejects.add(_rejected_rows(entity, rejected))

        with self.source.storage.open(planned.name) as packed:
            count, exported = self._records(planned, packed, reject)
        for kind, names in exported.names.items():
            self.names.setdefault(kind, {}).update(names)
        self.tables.update(exported.files)
        findings = exported.findings
        report = EntityExport(
            file=planned.name,
            sha256=sha256,
            verified=planned.sha256 is not None,
            read=count,
            exported=exported.records,
            rejected=exported.rejected,
            filtered=exported.filtered,
            seconds=round(time.monotonic() - started, 3),
            unmapped=dict(sorted(findings.unmapped.items())),
            invalid_values=dict(sorted(findings.invalid.items())),
        )
        for line in findings.warnings(planned.name):
            log.warning("%s", line)
        return report

    def _records(
        self,
        planned: PlannedFile,
        packed: BinaryIO,
        reject: Callable[[list[Rejected]], None],
    ) -> tuple[int, Exported]:
        """The number of the records that a file holds, and what was written of them."""
        entity, settings = planned.entity, self.settings
        started, ticker = time.monotonic(), Ticker()
        count = rejected = 0

        def show() -> None:
            if self.on_progress is not None:
                self.on_progress(
                    Progress(
                        step="export",
                        name=str(entity),
                        done=packed.tell(),
                        total=planned.file.size,
                        seconds=time.monotonic() - started,
                        records=count,
                    )
                )

        records = read(
            packed,
            planned.name,
            entity,
            max_record_bytes=self.sizes.record,
            seed=fingerprint_seed(MAPPINGS[entity]),
        )
        pipeline = ParquetPipeline(
            self.target,
            self.where,
            TABLES[entity],
            Parser(entity, fast=settings.engine == "fast"),
            workers=settings.workers,
            block_bytes=self.sizes.block,
            conditions=Filter.parse(settings.filter).of(entity),
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

    def _check(
        self,
        entities: dict[Entity, EntityExport],
        rejected: Sequence[WrittenFile],
        allow_shrink: bool,
    ) -> None:
        """:raises DumpRefused: naming every limit that is not kept."""
        conditions = Filter.parse(self.settings.filter)
        where = self.target.path(f"{self.where(REJECTED)}/{rejected[0].name}")
        problems = []
        for entity, found in entities.items():
            counts = RecordCounts(
                found.read, found.rejected, found.filtered, str(conditions.of(entity))
            )
            rejects = too_many_rejected(entity, counts, self.settings, where)
            self.refused = self.refused or bool(rejects)
            problems += rejects
            if not allow_shrink:
                before = month_before(self.target, self.month, entity)
                problems += too_few_records(entity, counts, self.settings, before)
        if problems:
            raise DumpRefused(self.month, problems, "exported")


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
