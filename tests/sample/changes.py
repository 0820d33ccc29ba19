"""The months of a sample, computed from its plan."""

from __future__ import annotations

from dataclasses import dataclass

from discogs.sample.plan import SamplePlan, id_at
from discogs.schema.entities import Entity


@dataclass(frozen=True)
class Changes:
    """The ids by which a month differs from the month before."""

    added: set[int]
    changed: set[int]
    removed: set[int]
    #: Restored after having been removed.
    restored: set[int]


def versions(plan: SamplePlan, entity: Entity, month: int) -> dict[int, int]:
    """Every id of a month, counted from 0, with its version."""
    records = plan.of(entity).records(month)
    return {id_at(position): version for position, version in records}


def changes(plan: SamplePlan, entity: Entity, month: int) -> Changes:
    """By which ids a month, from 1 on, differs from the month before."""
    of = plan.of(entity)
    before, now = versions(plan, entity, month - 1), versions(plan, entity, month)
    new = now.keys() - before.keys()
    added = {id_at(position) for position in range(of.size(month - 1), of.size(month))}
    return Changes(
        added=new & added,
        changed={i for i in now.keys() & before.keys() if now[i] != before[i]},
        removed=before.keys() - now.keys(),
        restored=new - added,
    )


def is_absent(record_id: int) -> bool:
    """Whether no sample ever holds an id."""
    return record_id % 26 in (12, 17, 18)
