"""A month's report, from its tracking row: for logs, the terminal, the UI, and as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from discogs.progress import duration
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import FileRecord, MonthRecord, Status, Waiting

if TYPE_CHECKING:
    from rich.table import Table

#: Width that a report needs, in columns.
LOG_WIDTH = 110
#: Key of the last load's own numbers in a month's statistics of an entity.
LAST_LOAD = "last_load"
#: The numbers that are summed over several loads of a month.
_SUMMED = (
    "inserted",
    "updated",
    "removed",
    "restored",
    "rows",
    "seconds",
    "stage_seconds",
    "merge_seconds",
    "placeholders_added",
    "placeholders_dropped",
)


@dataclass(frozen=True, kw_only=True)
class EntityReport:
    """What one load, or all loads of a month, did to an entity.

    Each record is in one of the counts: ``read = unchanged + inserted + updated + restored +
    rejected + same + filtered``, where ``same`` counts records whose bytes differ from the last
    load but whose rows do not. A count that an earlier version of the package did not have is None.

    :param rows: number of rows written, including child tables.
    :param bytes: size of the uncompressed file.
    :param seconds: duration of staging and merging.
    :param first_load: whether the staged tables replaced empty ones.
    :param sha256: SHA-256 of the merged, compressed file.
    :param loads: number of loads that the numbers are of; None for those of one load.
    :param filtered: number of records that the filter left out.
    :param filter: conditions of the filter; None without one.
    :param steps: the steps of the last load, each ``{step, shard, started_at, seconds}``: ``stage``
        for each shard, and ``merge``.
    :param placeholders_added: number of rows for ids that records refer to and no dump has.
    :param unmapped: elements, attributes and texts that the mapping does not read, by path, and
        how often they occur in the staged records.
    :param invalid_values: number of values that do not fit their column and became NULL, by path.
    :param replaced_characters: number of characters that PostgreSQL cannot store and that became
        U+FFFD.
    :param unidentified: number of rejected records whose ids cannot be read.
    :param removals_held: number of records that the dump lacks but that are not marked as removed,
        since they may be among the unidentified ones.
    :param missing: fields and lists, by path, that only the previous month's dump has, and how
        often.
    :param appeared: fields and lists, by path, that only this dump has, and how often.
    """

    entity: Entity
    read: int | None = None
    unchanged: int | None = None
    inserted: int | None = None
    updated: int | None = None
    removed: int | None = None
    restored: int | None = None
    rejected: int | None = None
    same: int | None = None
    rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    stage_seconds: float | None = None
    merge_seconds: float | None = None
    first_load: bool | None = None
    sha256: str | None = None
    placeholders_added: int | None = None
    placeholders_dropped: int | None = None
    filtered: int | None = None
    filter: str | None = None
    loads: int | None = None
    steps: Sequence[Mapping[str, Any]] | None = None
    unmapped: Mapping[str, int] = dataclasses.field(default_factory=dict)
    invalid_values: Mapping[str, int] = dataclasses.field(default_factory=dict)
    replaced_characters: int = 0
    unidentified: int = 0
    removals_held: int = 0
    missing: Mapping[str, int] = dataclasses.field(default_factory=dict)
    appeared: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_dict(cls, entity: Entity, values: Mapping[str, Any]) -> EntityReport:
        """The inverse of ``as_dict``, also for another version of the package."""
        names = {field.name for field in dataclasses.fields(cls)} - {"entity"}
        known = {name: value for name, value in values.items() if name in names}
        return cls(entity=entity, **known)

    @classmethod
    def of_loads(cls, loads: Sequence[EntityReport]) -> EntityReport:
        """The numbers of a month that was loaded several times.

        Changes and times are summed over all loads; the number of records read is the last load's.

        :param loads: at least one, oldest first.
        """
        last = loads[-1]
        sums: dict[str, Any] = {}
        for name in _SUMMED:
            values = [value for load in loads if (value := getattr(load, name)) is not None]
            sums[name] = sum(values) if values else None
        for name in ("unmapped", "invalid_values"):
            # A later load may parse fewer records, and so find fewer.
            values = [getattr(load, name) for load in loads]
            paths = sorted({path for value in values for path in value})
            sums[name] = {path: max(value.get(path, 0) for value in values) for path in paths}
        sums["replaced_characters"] = max(load.replaced_characters for load in loads)
        combined = dataclasses.replace(last, **sums, loads=len(loads))
        first = any(load.first_load for load in loads)
        if last.unchanged is None:
            return dataclasses.replace(combined, first_load=first)
        others = combined.total("inserted", "updated", "restored", "rejected", "same", "filtered")
        left = max(0, (combined.read or 0) - others)
        return dataclasses.replace(combined, first_load=first, unchanged=left)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON types, without the entity, under which it is stored."""
        values = dataclasses.asdict(self)
        del values["entity"]
        return values

    def __str__(self) -> str:
        """A line for a log."""
        counts = ("unchanged", "inserted", "updated", "removed", "restored", "rejected")
        parts = ", ".join(f"{getattr(self, name) or 0:,} {name}" for name in counts)
        if self.filter:
            parts += f", {self.filtered or 0:,} left out by {self.filter}"
        line = f"{self.entity}: {self.read or 0:,} records read: {parts}"
        return line if self.seconds is None else f"{line}; {duration(self.seconds)}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Findings in the dump that need attention, one sentence each."""
        found = []
        if self.unmapped:
            found.append(f"not read, since no table has it: {_counted(self.unmapped)}")
        if self.invalid_values:
            found.append(f"NULL, since the value does not fit: {_counted(self.invalid_values)}")
        if self.replaced_characters:
            found.append(f"characters stored as U+FFFD: {self.replaced_characters:,}")
        if self.removals_held:
            found.append(
                f"none marked as removed, though the dump lacks {self.removals_held:,}:"
                f" {self.unidentified:,} rejected records have no readable id"
            )
        if self.missing:
            found.append(f"no longer in the dump (number before): {_counted(self.missing)}")
        if self.appeared:
            found.append(f"new in the dump (number now): {_counted(self.appeared)}")
        return tuple(f"{self.entity}: {sentence}" for sentence in found)

    def total(self, *names: str) -> int:
        """The sum of some of the counts; None counts as 0."""
        return sum(getattr(self, name) or 0 for name in names)

    @property
    def records_per_second(self) -> float | None:
        return self.read / self.seconds if self.read is not None and self.seconds else None


@dataclass(frozen=True, kw_only=True)
class MonthReport:
    """A month's status and what its loads did; times are in UTC.

    :param not_verified: files that no CHECKSUM.txt lists, so that they could not be verified.
    :param checks: results of the checks after the merges, each with ``name``, ``passed``,
        ``value`` and ``detail``.
    """

    month: Month
    status: Status
    dump_date: dt.date | None
    dag_id: str | None
    run_id: str | None
    retry_count: int
    error_message: str | None
    waiting: Waiting | None
    started_at: dt.datetime | None
    download_completed_at: dt.datetime | None
    processing_completed_at: dt.datetime | None
    entities: tuple[EntityReport, ...]
    not_verified: tuple[str, ...]
    checks: tuple[Mapping[str, Any], ...]
    files: tuple[FileRecord, ...]

    @classmethod
    def of(
        cls, record: MonthRecord, files: Iterable[FileRecord] = (), *, last_load: bool = False
    ) -> MonthReport:
        """A month's report.

        :param last_load: whether to use the numbers of the last load of each entity only.
        """
        stats = record.processing_stats
        if last_load:
            stats = {entity: values.get(LAST_LOAD, values) for entity, values in stats.items()}
        return cls(
            month=record.month,
            status=record.status,
            dump_date=record.dump_date,
            dag_id=record.dag_id,
            run_id=record.run_id,
            retry_count=record.retry_count,
            error_message=record.error_message,
            waiting=record.waiting,
            started_at=record.started_at,
            download_completed_at=record.download_completed_at,
            processing_completed_at=record.processing_completed_at,
            entities=tuple(
                EntityReport.from_dict(entity, stats[str(entity)])
                for entity in Entity
                if str(entity) in stats
            ),
            not_verified=tuple(
                sorted(name for name, c in record.file_checksums.items() if c.is_unlisted)
            ),
            checks=tuple(record.checks),
            files=tuple(files),
        )

    @property
    def download_seconds(self) -> float | None:
        return _seconds(self.started_at, self.download_completed_at)

    @property
    def processing_seconds(self) -> float | None:
        return _seconds(self.download_completed_at, self.processing_completed_at)

    @property
    def seconds(self) -> float | None:
        """From the start of the latest attempt to completion."""
        return _seconds(self.started_at, self.processing_completed_at)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON types, for ``load --report``, ``status --json`` and the XCom."""
        entities = {
            str(report.entity): {
                **report.as_dict(),
                "records_per_second": _rounded(report.records_per_second),
            }
            for report in self.entities
        }
        return {
            "year_month": str(self.month),
            "status": str(self.status),
            "dump_date": self.dump_date.isoformat() if self.dump_date else None,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "retry_count": self.retry_count,
            "error_message": self.error_message,
            "waiting": self.waiting.as_dict() if self.waiting else None,
            "started_at": _iso(self.started_at),
            "download_completed_at": _iso(self.download_completed_at),
            "processing_completed_at": _iso(self.processing_completed_at),
            "download_seconds": _rounded(self.download_seconds),
            "processing_seconds": _rounded(self.processing_seconds),
            "seconds": _rounded(self.seconds),
            "entities": entities,
            "not_verified": list(self.not_verified),
            "checks": [dict(check) for check in self.checks],
            "files": [file.as_dict() for file in self.files],
        }

    @property
    def remarks(self) -> tuple[str, ...]:
        """The remarks on all entities."""
        return tuple(remark for entity in self.entities for remark in entity.remarks)

    def as_text(self) -> str:
        """A plain table, for a log."""
        text = io.StringIO()
        self.print(text, width=LOG_WIDTH)
        return text.getvalue().rstrip()

    def print(self, file: IO[str] | None = None, *, width: int | None = None) -> None:
        """Write the report; in colour where ``file`` (by default stdout) is a terminal."""
        from rich.console import Console

        console = Console(file=file, width=width, highlight=False)
        console.print(self._headline(), markup=False, soft_wrap=True)
        if self.error_message:
            console.print(f"Failed: {self.error_message}", markup=False, soft_wrap=True)
        if self.waiting:
            console.print(str(self.waiting), markup=False, soft_wrap=True)
        if self.not_verified:
            names = ", ".join(self.not_verified)
            console.print(f"Not verified, as no CHECKSUM.txt lists them: {names}", soft_wrap=True)
        if self.entities:
            console.print(self._table())
        for remark in self.remarks:
            console.print(remark, markup=False, soft_wrap=True)
        for check in self.checks:
            if not check["passed"]:
                line = f"Check failed: {check['name']}: {check['value']:,} {check['detail']}"
                console.print(line, markup=False, soft_wrap=True)

    def _headline(self) -> str:
        parts = [f"{self.month}: {self.status}"]
        if self.dump_date:
            parts.append(f"dump of {self.dump_date}")
        if self.seconds is not None:
            parts.append(f"{duration(self.seconds)} in total")
        if self.retry_count:
            parts.append(f"failed attempts: {self.retry_count}")
        return ", ".join(parts)

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("entity")
        counted = ["read", "unchanged", "inserted", "updated", "removed", "restored", "rejected"]
        if any(line.filter for line in self.entities):
            counted.append("filtered")
        for name in (*counted, "MB", "time", "records/s"):
            table.add_column(name, justify="right", no_wrap=True)
        for line in self.entities:
            table.add_row(
                str(line.entity),
                *(_number(getattr(line, name)) for name in counted),
                _number(line.bytes / 1e6 if line.bytes is not None else None, ",.1f"),
                duration(line.seconds) if line.seconds is not None else "",
                _number(line.records_per_second, ",.0f"),
            )
        return table


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{path} ({count:,})" for path, count in sorted(counts.items()))


def _seconds(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def _number(value: float | None, form: str = ",") -> str:
    return format(value, form) if value is not None else ""


def _rounded(value: float | None) -> float | None:
    return round(value, 3) if value is not None else None


def _iso(time: dt.datetime | None) -> str | None:
    return time.isoformat() if time is not None else None
