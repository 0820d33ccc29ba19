"""The limits that a dump must keep before its records are used: pure functions of its counts."""

from __future__ import annotations

from dataclasses import dataclass

from discogs.schema.entities import Entity, Month
from discogs.settings import Settings


@dataclass(frozen=True)
class RecordCounts:
    """What was read of an entity's file."""

    read: int
    rejected: int
    filtered: int = 0
    #: The filter's conditions.
    filter: str = ""


@dataclass(frozen=True)
class Before:
    """The last month before, and how many records its dump had."""

    month: Month
    records: int


def too_many_rejected(
    entity: Entity, counts: RecordCounts, settings: Settings, where: str
) -> list[str]:
    """A clause when too many records were rejected.

    :param where: what lists them, as the subject of a sentence.
    """
    # One odd record must not stop a small dump.
    if counts.rejected <= max(1, int(counts.read * settings.max_rejected)):
        return []
    return [
        f"{entity} has {counts.rejected:,} rejected records of {counts.read:,}, more than"
        f" {settings.max_rejected:.2%} (DISCOGS_MAX_REJECTED; {where} says which and why)"
    ]


def too_few_records(
    entity: Entity, counts: RecordCounts, settings: Settings, before: Before | None
) -> list[str]:
    """A clause for each limit that a dump with few records, or none, does not keep."""
    problems = []
    if counts.read and counts.filtered == counts.read - counts.rejected:
        problems.append(
            f"{entity} has no record that the filter {counts.filter} keeps, of {counts.read:,}:"
            " check the spelling of its values"
            if counts.filter
            else f"{entity} has no record that can be read, of {counts.read:,}"
        )
    if before is not None and counts.read < before.records * (1 - settings.max_shrink):
        problems.append(
            f"{entity} has {counts.read:,} records, {before.records - counts.read:,} fewer than"
            f" {before.month}, more than {settings.max_shrink:.0%} (DISCOGS_MAX_SHRINK)"
        )
    elif counts.read == 0:
        problems.append(f"{entity} has no records at all")
    return problems
