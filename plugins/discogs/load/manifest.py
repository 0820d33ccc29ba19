"""The manifest of an exported month: its files, and the dump files that they were made from."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from discogs import __version__
from discogs.errors import DiscogsError, StorageError
from discogs.load.export_folder import ExportFolder
from discogs.load.limits import PreviousMonth
from discogs.load.parquet import WrittenFile
from discogs.schema.entities import Entity, Month

log = logging.getLogger(__name__)

#: To be increased when the paths or columns of an export change.
FORMAT = 1
_NAME = re.compile(r"(2[0-9]{3}-(?:0[1-9]|1[0-2]))\.json")


class MonthExported(StorageError):
    """The month is already exported."""

    def __init__(self, month: Month, folder: object, manifest: dict[str, Any]) -> None:
        entities = ", ".join(manifest.get("entities", {}))
        super().__init__(
            f"{month} is already exported to {folder} ({entities}; exported at"
            f" {manifest.get('exported_at')}). Pass --overwrite to replace the whole month."
        )


@dataclass(frozen=True)
class EntityExport:
    """What was exported of one entity."""

    file: str
    sha256: str | None
    verified: bool
    read: int
    exported: int
    rejected: int
    filtered: int
    seconds: float
    #: Elements and attributes that the mapping does not read, counted by path.
    unmapped: dict[str, int]
    #: Values that do not fit their column and are NULL, counted by path.
    invalid_values: dict[str, int]

    def __str__(self) -> str:
        """For a log line, after the entity's name."""
        filtered = f", {self.filtered:,} left out by the filter" if self.filtered else ""
        return (
            f"{self.exported:,} of {self.read:,} records exported, {self.rejected:,}"
            f" rejected{filtered}; {self.seconds:.1f} s"
        )

    @classmethod
    def of_shards(cls, shards: Sequence[EntityExport]) -> EntityExport:
        """The sums over the shards of an entity, seconds included."""
        return replace(
            shards[0],
            read=sum(each.read for each in shards),
            exported=sum(each.exported for each in shards),
            rejected=sum(each.rejected for each in shards),
            filtered=sum(each.filtered for each in shards),
            seconds=round(sum(each.seconds for each in shards), 3),
            unmapped=_added(each.unmapped for each in shards),
            invalid_values=_added(each.invalid_values for each in shards),
        )


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote: the content of its manifest."""

    month: Month
    folder: str
    filter: str
    entities: dict[Entity, EntityExport]
    tables: dict[str, list[WrittenFile]]

    def __str__(self) -> str:
        """A sentence for a log."""
        return (
            f"{self.month} is exported to {self.folder}: {len(self.tables)} tables,"
            f" {self.rows:,} rows, {self.bytes / 1e6:,.1f} MB."
        )

    @property
    def rows(self) -> int:
        return sum(file.rows for files in self.tables.values() for file in files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for files in self.tables.values() for file in files)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest."""
        return {
            "format": FORMAT,
            "month": str(self.month),
            "exported_at": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            "airflow_discogs": __version__,
            "pyarrow": pa.__version__,
            "filter": self.filter,
            "entities": {str(entity): vars(found) for entity, found in self.entities.items()},
            "tables": {
                name: {
                    "rows": sum(file.rows for file in files),
                    "files": [
                        {
                            "path": table_path(name, self.month, file.name),
                            "rows": file.rows,
                            "bytes": file.bytes,
                        }
                        for file in files
                    ],
                }
                for name, files in self.tables.items()
            },
        }


def manifest_name(month: Month) -> str:
    return f"_manifest/{month}.json"


def read_manifest(target: ExportFolder, month: Month) -> dict[str, Any] | None:
    """The manifest of a month; None when the month is not exported, or not completely.

    :raises StorageError: when the file is not a manifest.
    """
    text = target.read(manifest_name(month))
    if text is None:
        return None
    try:
        manifest = json.loads(text)
        manifest["entities"]
    except (ValueError, TypeError, KeyError):
        raise StorageError(
            f"{target.path(manifest_name(month))} is not the manifest of an export: delete it, or"
            " export to another folder."
        ) from None
    return dict(manifest)


def is_made_from(
    manifest: Mapping[str, Any], digests: Mapping[Entity, str | None], filter: str
) -> bool:
    """Whether a month was exported from exactly these files, with this filter.

    :param digests: the SHA-256 of each entity's file.
    """
    found = {
        name: entity.get("sha256") if isinstance(entity, dict) else None
        for name, entity in manifest["entities"].items()
    }
    expected = {str(entity): digest for entity, digest in digests.items()}
    return (manifest.get("format"), manifest.get("filter"), found) == (FORMAT, filter, expected)


def table_path(table: str, month: Month, name: str = "") -> str:
    """The folder of a table's published files of a month, or the path of a file in it."""
    return f"{table}/dump_month={month}/{name}".rstrip("/")


def previous_month(target: ExportFolder, before: Month, entity: Entity) -> PreviousMonth | None:
    """The last exported month before ``before`` that has the entity; None when there is none."""
    months = [
        Month.parse(match[1])
        for name in target.names("_manifest")
        if (match := _NAME.fullmatch(name))
    ]
    for month in sorted((month for month in months if month < before), reverse=True):
        try:
            manifest = read_manifest(target, month) or {"entities": {}}
            found = manifest["entities"].get(str(entity))
            if found is not None:
                return PreviousMonth(month, int(found["read"]))
        except (DiscogsError, ValueError, TypeError, KeyError, AttributeError):
            log.warning("The manifest of %s cannot be read, so its counts are not compared.", month)
    return None
