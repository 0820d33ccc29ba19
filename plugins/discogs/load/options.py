"""What a run is asked to do: which month, which entities, and how; and which files that needs."""

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
    """What a run was asked to do.

    :param entities: in the order of their merges.
    :param shards: staging tasks an entity.
    :param keep_files: whether the dump's files stay, whatever retention says.
    :param allow_shrink: whether a dump with far fewer records than the last one is accepted.
    :param force: whether to load also what is loaded already, or has failed too often.
    :param filter: in place of the setting's; None takes that.
    :raises InvalidFilter: when it cannot be read.
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
    """The month of a run: its partition key, else the month it was asked for, else the month
    that it starts in.

    :raises InvalidMonth: when a text is no month.
    :raises MonthMismatch: when the run was given two months.
    :raises MonthAhead: when the month has not begun anywhere.
    """
    key = Month.parse(partition_key) if partition_key else None
    asked = Month.parse(year_month) if year_month else None
    if key is not None and asked is not None and key != asked:
        raise MonthMismatch(key, asked)
    month = key or asked or Month.of(run_after.astimezone(dt.timezone.utc).date())
    if month.is_ahead:
        raise MonthAhead(month)
    return month


@dataclass(frozen=True)
class PlannedFile:
    """One file that a run loads.

    :param dump: the file alone, with the CHECKSUM.txt that may list it.
    :param sha256: as published when the run looked; None when no CHECKSUM.txt lists the file.
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
