"""The limits for a dump's counts, checked before its records are merged or published."""

from __future__ import annotations

from dataclasses import dataclass

from discogs.schema.entities import Entity, Month
from discogs.settings import Settings


@dataclass(frozen=True)
class RecordCounts:
    """Counts of the records of an entity's file."""

    read: int
    rejected: int
    filtered: int = 0
    #: The filter's conditions.
    filter: str = ""


@dataclass(frozen=True)
class PreviousMonth:
    """The last month before, and the number of records in its dump."""

    month: Month
    records: int


def too_many_rejected(
    entity: Entity, counts: RecordCounts, settings: Settings, where: str
) -> list[str]:
    """A clause when too many records were rejected; else empty.

    :param where: what lists them, as the subject of a clause.
    """
    # A single rejected record never refuses a dump, however small it is.
    if counts.rejected <= max(1, int(counts.read * settings.max_rejected)):
        return []
    return [
        f"{entity} has {counts.rejected:,} rejected records of {counts.read:,}, more than"
        f" {settings.max_rejected:.2%} (DISCOGS_MAX_REJECTED; {where} lists them with the reasons)"
    ]


def too_few_records(
    entity: Entity, counts: RecordCounts, settings: Settings, before: PreviousMonth | None
) -> list[str]:
    """A clause for each lower limit that a dump does not reach."""
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
