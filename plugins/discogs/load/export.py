"""Export of a month's dump files to Parquet: the rows that a load writes, without a database.

The files are first written below ``_writing``, in parts that any process may write. Then the limits
are checked, the files are moved to their final paths, and the manifest that lists them is written
last: a month without a manifest is incomplete.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from discogs.load.errors import DumpRefused, ExportIncomplete, FolderUnusable
from discogs.load.export_folder import ExportFolder, writing_path
from discogs.load.export_part import (
    REJECTED,
    SIZES,
    ExportSizes,
    Part,
    PartReport,
    read_part,
    write_part,
)
from discogs.load.limits import RecordCounts, too_few_records, too_many_rejected
from discogs.load.manifest import (
    EntityExport,
    ExportReport,
    MonthExported,
    manifest_name,
    previous_month,
    read_manifest,
    table_path,
)
from discogs.load.options import PlannedFile
from discogs.load.parquet import ParquetSizes, TableWriter, WrittenFile
from discogs.load.source import FolderSource
from discogs.progress import OnProgress, Progress
from discogs.schema.entities import ENTITIES, Entity, Month
from discogs.schema.filters import Filter
from discogs.schema.mapping import TABLES
from discogs.settings import Settings

log = logging.getLogger(__name__)

_NAMES_SCHEMA = pa.schema(
    [pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string(), nullable=False)]
)
_NAMES = "names"


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
    :param entities: the folder must have a file of each; None exports the files that it has.
    :param overwrite: replace the month if it is already exported.
    :param allow_shrink: accept a dump with far fewer records than the last exported month before
        it, or none.
    :raises MonthExported: when it is already exported.
    :raises DumpRefused: when the dump exceeds a limit.
    :raises DumpError: when a file is damaged, cut short or not the expected dump.
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
        with target.locked(month):
            target.empty(writing_path(month))
            try:
                digests = {each.name: _verify(source, each, on_progress) for each in planned}
                parts = parts_of(planned, settings.shards)
                for each, part in parts:
                    write_part(
                        target,
                        source.storage,
                        each,
                        part,
                        settings,
                        sha256=digests[each.name],
                        on_progress=on_progress,
                        sizes=sizes,
                    )
                report = publish(
                    target,
                    month,
                    [part for _, part in parts],
                    settings,
                    allow_shrink=allow_shrink,
                    sizes=sizes.parquet,
                )
            except DumpRefused:
                raise  # publish() keeps the rejected records for the user to read
            except BaseException:
                _delete_parts(target, month)
                raise
    return report


def parts_of(planned: Sequence[PlannedFile], shards: int) -> list[tuple[PlannedFile, Part]]:
    """The parts of a month, each with its file, in the order of the published files."""
    return [
        (each, Part(each.entity, shard, shards))
        for each in sorted(planned, key=lambda each: ENTITIES.index(each.entity))
        for shard in range(shards)
    ]


def publish(
    target: ExportFolder,
    month: Month,
    parts: Sequence[Part],
    settings: Settings,
    *,
    allow_shrink: bool = False,
    sizes: ParquetSizes = SIZES.parquet,
) -> ExportReport:
    """Publish a month whose parts are all written, in place of an earlier export of it.

    Can be called again after an interruption. When the month is refused, the rejected records of
    the entities that have too many of them are kept below ``_writing``.

    :raises ExportIncomplete: naming the missing parts.
    :raises DumpRefused: naming every limit that is exceeded.
    """
    with target.explained():
        written = _Written.read(target, month, parts)
        refused = written.check(settings, allow_shrink=allow_shrink)
        if refused:
            keep = [
                f"{part.name}/{REJECTED}"
                for part in parts
                if part.entity in refused.too_many_rejected
            ]
            _delete_parts(target, month, keep=keep)
            raise DumpRefused(month, refused.problems, "exported")
        files = written.files(_write_names(target, month, written.names, sizes))
        target.delete(manifest_name(month))
        tables = {table: _move(target, month, table, found) for table, found in files.items()}
        for table in _all_tables():
            keep = [table_path(table, month, file.name) for file in tables.get(table, ())]
            target.delete_files(table_path(table, month), keep)
        report = ExportReport(
            month, str(target), str(Filter.parse(settings.filter)), written.entities, tables
        )
        text = json.dumps(report.as_dict(), indent=2) + "\n"
        target.replace(manifest_name(month), text.encode())
        target.delete_files(writing_path(month))
    return report


@dataclass(frozen=True)
class _Refusal:
    """The limits that a month exceeds, a clause each; false when there are none.

    :param too_many_rejected: the entities with too many rejected records.
    """

    problems: list[str]
    too_many_rejected: list[Entity]

    def __bool__(self) -> bool:
        return bool(self.problems)


@dataclass(frozen=True)
class _Written:
    """The parts of a month, all written and not yet published."""

    target: ExportFolder
    month: Month
    parts: dict[Part, PartReport]

    @classmethod
    def read(cls, target: ExportFolder, month: Month, parts: Iterable[Part]) -> _Written:
        """Read the parts' reports.

        :raises ExportIncomplete: when one is missing, or an entity's parts were written from
            different files or with different filters.
        """
        found = {part: read_part(target, month, part) for part in parts}
        missing = [str(part) for part, report in found.items() if report is None]
        if missing:
            raise ExportIncomplete(month, target, missing)
        complete = {part: report for part, report in found.items() if report is not None}
        sources = {
            (part.entity, report.counts.sha256, report.filter) for part, report in complete.items()
        }
        if len(sources) > len({part.entity for part in complete}):
            raise ExportIncomplete(month, target, ["parts of one file and one filter"])
        return cls(target, month, complete)

    @property
    def entities(self) -> dict[Entity, EntityExport]:
        shards: dict[Entity, list[EntityExport]] = {}
        for part, report in self.parts.items():
            shards.setdefault(part.entity, []).append(report.counts)
        return {entity: EntityExport.of_shards(each) for entity, each in shards.items()}

    @property
    def names(self) -> dict[str, dict[int, str]]:
        """Genres and styles, by table."""
        names: dict[str, dict[int, str]] = {
            name: {} for entity in self.entities for name in sorted(TABLES[entity].names_tables)
        }
        for report in self.parts.values():
            for kind, found in report.names.items():
                names[kind].update(found)
        return names

    def files(
        self, names: dict[str, list[WrittenFile]]
    ) -> dict[str, list[tuple[str, WrittenFile]]]:
        """The files of each table, each with the name of its part's folder.

        Files without rows are left out, except one of a table that has no rows at all.

        :param names: the files of genres and styles.
        """
        found: dict[str, list[tuple[str, WrittenFile]]] = {}
        for part, report in self.parts.items():
            for table, files in report.tables.items():
                found.setdefault(table, []).extend((part.name, file) for file in files)
        for table, files in names.items():
            found[table] = [(_NAMES, file) for file in files]
        found[REJECTED] = found.pop(REJECTED)  # the last
        return {
            table: [each for each in files if each[1].rows] or files[:1]
            for table, files in found.items()
        }

    def check(self, settings: Settings, *, allow_shrink: bool) -> _Refusal:
        """Every limit that is exceeded."""
        conditions = Filter.parse(settings.filter)
        refused = _Refusal([], [])
        for entity, found in self.entities.items():
            counts = RecordCounts(
                found.read, found.rejected, found.filtered, str(conditions.of(entity))
            )
            problems = too_many_rejected(entity, counts, settings, self._rejected_of(entity))
            if problems:
                refused.too_many_rejected.append(entity)
            refused.problems.extend(problems)
            if not allow_shrink:
                before = previous_month(self.target, self.month, entity)
                refused.problems.extend(too_few_records(entity, counts, settings, before))
        return refused

    def _rejected_of(self, entity: Entity) -> str:
        """The path of an entity's rejected records, or a glob pattern if they are in several files,
        as Parquet readers accept it."""
        parts = [part for part in self.parts if part.entity is entity]
        [file, *more] = self.parts[parts[0]].tables[REJECTED]
        name = f"{parts[0].name}/{REJECTED}/{file.name}"
        if more or len(parts) > 1:
            name = f"{entity}-*/{REJECTED}/*.parquet"
        return self.target.path(writing_path(self.month, name))


def _write_names(
    target: ExportFolder, month: Month, names: dict[str, dict[int, str]], sizes: ParquetSizes
) -> dict[str, list[WrittenFile]]:
    written = {}
    with ThreadPoolExecutor(1, thread_name_prefix="export") as pool:
        for table, found in names.items():
            folder = writing_path(month, f"{_NAMES}/{table}")
            writer = TableWriter(target, folder, _NAMES_SCHEMA, pool, sizes)
            rows = [{"id": number, "name": name} for number, name in sorted(found.items())]
            writer.add(pa.RecordBatch.from_pylist(rows, _NAMES_SCHEMA))
            written[table] = writer.finish()
    return written


def _move(
    target: ExportFolder, month: Month, table: str, files: Sequence[tuple[str, WrittenFile]]
) -> list[WrittenFile]:
    """Move a table's files to their final paths, except those that an interrupted call moved."""
    moved = []
    for number, (folder, file) in enumerate(files):
        source = writing_path(month, f"{folder}/{table}/{file.name}")
        file = replace(file, name=f"part-{number:04d}.parquet")
        destination = table_path(table, month, file.name)
        if target.size(source) is not None:
            target.move(source, destination)
        elif target.size(destination) != file.bytes:
            raise ExportIncomplete(month, target, [source])
        moved.append(file)
    return moved


def _delete_parts(target: ExportFolder, month: Month, keep: Sequence[str] = ()) -> None:
    """Delete the month's unpublished files.

    :param keep: names of files and folders that stay.
    """
    try:
        target.delete_files(writing_path(month), [writing_path(month, name) for name in keep])
    except Exception as error:
        # Called while another error is raised, whose cause may be that the folder is unavailable.
        log.warning("The unpublished files in %s could not be deleted: %s", target, error)


def _all_tables() -> list[str]:
    names = [table.name for tables in TABLES.values() for table in tables.all]
    return [*names, *sorted({n for t in TABLES.values() for n in t.names_tables}), REJECTED]


def _verify(source: FolderSource, planned: PlannedFile, on_progress: OnProgress | None) -> str:
    def ignore(_: Progress) -> None: ...

    source.fetch(planned, planned.sha256, on_progress or ignore)
    return source.verify(planned, planned.sha256)[0]
