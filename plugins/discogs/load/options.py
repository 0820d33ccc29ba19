"""The options of a run (month, entities, how to load them), and the files that it loads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from discogs.dumps.listing import DumpFile, DumpSet
from discogs.load.errors import MonthAhead, MonthMismatch
from discogs.schema.entities import ENTITIES, Entity, Month
from discogs.schema.filters import Filter


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a run.

    :param entities: in the order in which they are merged.
    :param shards: staging tasks per entity.
    :param keep_files: do not delete the files of any month.
    :param allow_shrink: accept a dump with far fewer records than the month before.
    :param force: load the month even if it is already loaded, or has failed too often.
    :param filter: in place of the setting ``DISCOGS_FILTER``; None uses the setting.
    :raises InvalidFilter: when the filter cannot be read.
    """

    month: Month
    entities: tuple[Entity, ...] = ENTITIES
    shards: int = 1
    keep_files: bool = False
    allow_shrink: bool = False
    force: bool = False
    filter: str | None = None

    def __post_init__(self) -> None:
        Filter.parse(self.filter or "")

    def __str__(self) -> str:
        """A sentence for a log, such as ``2026-10: all entities, 4 shards each, forced``."""
        whole = len(self.entities) == len(ENTITIES)
        parts = ["all entities" if whole else ", ".join(map(str, self.entities))]
        if self.shards > 1:
            parts.append(f"{self.shards} shards each")
        for name, on in (
            ("forced", self.force),
            ("a shrunk dump is accepted", self.allow_shrink),
            ("files are kept", self.keep_files),
        ):
            if on:
                parts.append(name)
        return f"{self.month}: {', '.join(parts)}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "year_month": str(self.month),
            "entities": [str(entity) for entity in self.entities],
            "shards": self.shards,
            "keep_files": self.keep_files,
            "allow_shrink": self.allow_shrink,
            "force": self.force,
            "filter": self.filter,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunOptions:
        """What ``as_dict`` wrote."""
        chosen = {Entity(name) for name in values["entities"]}
        return cls(
            month=Month.parse(values["year_month"]),
            entities=tuple(entity for entity in ENTITIES if entity in chosen),
            shards=int(values["shards"]),
            keep_files=bool(values["keep_files"]),
            allow_shrink=bool(values["allow_shrink"]),
            force=bool(values["force"]),
            filter=values.get("filter"),
        )


def resolve_month(
    *, partition_key: str | None, year_month: str | None, run_after: dt.datetime
) -> Month:
    """The month of a run: its partition key, else its parameter ``year_month``, else the month of
    ``run_after`` in UTC.

    :raises InvalidMonth: when a text is not a month.
    :raises MonthMismatch: when the run was given two different months.
    :raises MonthAhead: when the month has not begun in any time zone.
    """
    key = Month.parse(partition_key) if partition_key else None
    given = Month.parse(year_month) if year_month else None
    if key is not None and given is not None and key != given:
        raise MonthMismatch(key, given)
    month = key or given or Month.of(run_after.astimezone(dt.timezone.utc).date())
    if month.is_ahead:
        raise MonthAhead(month)
    return month


@dataclass(frozen=True)
class PlannedFile:
    """One file that a run loads.

    :param dump: a dump of this file alone, with the CHECKSUM.txt files of the month.
    :param sha256: the SHA-256 published when the run was planned; None when no CHECKSUM.txt lists
        the file.
    """

    dump: DumpSet
    sha256: str | None

    @property
    def file(self) -> DumpFile:
        return self.dump.files[0]

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def entity(self) -> Entity:
        return next(iter(self.dump.by_entity))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"entity": str(self.entity), "sha256": self.sha256, "dump": self.dump.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlannedFile:
        """What ``as_dict`` wrote."""
        return cls(DumpSet.from_dict(values["dump"]), values["sha256"])
