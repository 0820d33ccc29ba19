"""The manifest of an exported month: what it has, where, and from what it was made."""

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
from discogs.load.limits import Before
from discogs.load.parquet import WrittenFile
from discogs.schema.entities import Entity, Month

log = logging.getLogger(__name__)

#: Raise it when the places or columns of an export change.
FORMAT = 1
_NAME = re.compile(r"(2[0-9]{3}-(?:0[1-9]|1[0-2]))\.json")


class MonthExported(StorageError):
    """A month is in the export already."""

    def __init__(self, month: Month, folder: object, manifest: dict[str, Any]) -> None:
        entities = ", ".join(manifest.get("entities", {}))
        super().__init__(
            f"{month} is in {folder} already ({entities}, exported at"
            f" {manifest.get('exported_at')}). Pass --overwrite to replace all of it."
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
    #: What the mapping does not read, by path.
    unmapped: dict[str, int]
    #: Values that do not fit their column and are NULL, by path.
    invalid_values: dict[str, int]

    def __str__(self) -> str:
        """A line for a log, after the entity."""
        filtered = f", {self.filtered:,} left out by the filter" if self.filtered else ""
        return (
            f"{self.exported:,} of {self.read:,} records exported, {self.rejected:,}"
            f" rejected{filtered}; {self.seconds:.1f} s"
        )

    @classmethod
    def of_shards(cls, shards: Sequence[EntityExport]) -> EntityExport:
        """What the shards of an entity have together; the seconds are added up."""
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
    """What an export wrote; its manifest."""

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
                            "path": place(name, self.month, file.name),
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
    """What is exported of a month; None when it is not, or not whole."""
    text = target.read(manifest_name(month))
    if text is None:
        return None
    try:
        manifest = json.loads(text)
        manifest["entities"]
    except (ValueError, TypeError, KeyError):
        raise StorageError(
            f"{target.path(manifest_name(month))} is no manifest of an export: delete it, or"
            " export to another folder."
        ) from None
    return dict(manifest)


def is_of(manifest: Mapping[str, Any], digests: Mapping[Entity, str | None], filter: str) -> bool:
    """Whether an exported month has just these files, and what a filter keeps of them.

    :param digests: the SHA-256 of each entity's file.
    """
    found = {
        name: entity.get("sha256") if isinstance(entity, dict) else None
        for name, entity in manifest["entities"].items()
    }
    asked = {str(entity): digest for entity, digest in digests.items()}
    return (manifest.get("format"), manifest.get("filter"), found) == (FORMAT, filter, asked)


def place(table: str, month: Month, name: str = "") -> str:
    return f"{table}/dump_month={month}/{name}".rstrip("/")


def month_before(target: ExportFolder, before: Month, entity: Entity) -> Before | None:
    """The last exported month before another that has the entity."""
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
                return Before(month, int(found["read"]))
        except (DiscogsError, ValueError, TypeError, KeyError, AttributeError):
            log.warning("The manifest of %s cannot be read, and is not compared.", month)
    return None
