"""Which records a sample month holds, and in which version: arithmetic, nothing is stored.

Every entity has a base, there from the first month, and one batch of additions a month.
Records are counted by *position*; their ids ascend with the positions and leave gaps.
Within the base, two permutations say who is removed when and who changes when, so any
month is known without the months before it, and every month removes and changes exactly
as many records as asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from discogs.schema.entities import Entity

_BLOCK = 26
# These remainders stay free in every block of ids. They are those of 194, 355 and 118760,
# the artists that the real dumps credit without listing them.
_FREE = (12, 17, 18)
_TAKEN = tuple(offset for offset in range(1, _BLOCK + 1) if offset % _BLOCK not in _FREE)
_PER_BLOCK = len(_TAKEN)

# Of the removed records every third comes back, two months later.
_RETURNS_EVERY = 3
_RETURNS_AFTER = 2

# Records of the other entities for one release, as in the dump of 2026-06.
SHARES: Mapping[Entity, float] = {
    Entity.LABELS: 0.125,
    Entity.ARTISTS: 0.53,
    Entity.MASTERS: 0.134,
    Entity.RELEASES: 1.0,
}
# Enough for every special record, even beside a handful of releases.
_LEAST: Mapping[Entity, int] = {
    Entity.LABELS: 48,
    Entity.ARTISTS: 64,
    Entity.MASTERS: 32,
    Entity.RELEASES: 1,
}


def id_at(position: int) -> int:
    """The id of the record at a position, counted from 0."""
    block, rest = divmod(position, _PER_BLOCK)
    return block * _BLOCK + _TAKEN[rest]


def position_of(record_id: int) -> int | None:
    """The position that an id stands for; None for an id that no sample ever holds."""
    block, offset = divmod(record_id - 1, _BLOCK)
    if record_id < 1 or offset + 1 not in _TAKEN:
        return None
    return block * _PER_BLOCK + _TAKEN.index(offset + 1)


def absent_id(number: int) -> int:
    """One of the ids that no sample ever holds; what refers to it dangles."""
    return number // 3 * _BLOCK + _FREE[number % 3]


def hashed(*parts: object) -> int:
    """A 64-bit number that depends on the parts alone."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:8], "big")


@dataclass(frozen=True)
class Shuffle:
    """A permutation of ``range(size)``, with its inverse, in one multiplication each."""

    size: int
    step: int
    back: int
    offset: int

    @classmethod
    def make(cls, size: int, spread: float, offset: int) -> Shuffle:
        """:param spread: about which share of the range lies between neighbours."""
        if size < 1:
            return cls(1, 0, 0, 0)
        step = max(1, round(size * spread))
        while math.gcd(step, size) != 1:
            step += 1
        return cls(size, step, pow(step, -1, size), offset % size)

    def at(self, rank: int) -> int:
        return (rank * self.step + self.offset) % self.size

    def rank(self, value: int) -> int:
        return (value - self.offset) * self.back % self.size


@dataclass(frozen=True)
class Churn:
    """How much a month differs from the month before, as shares of the first month's records.

    Each is at least one record an entity, unless it is 0.
    """

    changed: float = 0.02
    added: float = 0.004
    removed: float = 0.0005

    def __post_init__(self) -> None:
        for name, most in (("changed", 1.0), ("added", 1.0), ("removed", 0.1)):
            if not 0.0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be a share from 0 to {most}")


def _count(share: float, of: int, most: int) -> int:
    return min(most, max(1, round(share * of))) if share > 0 and most > 0 else 0


class EntityPlan:
    """The life of every record of one entity.

    :param special: so many records at the start never change and never go.
    """

    def __init__(self, entity: Entity, base: int, special: int, churn: Churn, seed: int) -> None:
        self.entity = entity
        self.base = base
        self.special = min(special, base)
        #: how many records may change and go
        self.pool = base - self.special
        self.added = _count(churn.added, base, base)
        self.changed = _count(churn.changed, base, self.pool)
        self.removed = _count(churn.removed, base, max(0, self.pool // 8))
        #: who goes when: the first ``volatile`` ranks, so many a month; the others stay
        self.going = Shuffle.make(self.pool, 0.6180339, hashed(seed, entity.value, "going"))
        months = min(self.pool // 2, max(self.pool // 8, 24 * self.removed))
        self.volatile = months // self.removed * self.removed if self.removed else 0
        self._changing = Shuffle.make(self.pool, 0.7548776, hashed(seed, entity.value, "changing"))
        self._batch_changed = round(churn.changed * self.added)
        self._batch = Shuffle.make(self.added, 0.6180339, hashed(seed, entity.value, "batch"))

    def stays(self, rank: int) -> int:
        """The position of a base record that is in every month.

        :param rank: 0 up to ``pool - volatile``, beyond which it comes round.
        """
        if self.pool <= self.volatile:
            return rank % self.base
        return self.special + self.going.at(self.volatile + rank % (self.pool - self.volatile))

    def goes(self, rank: int) -> int:
        """The position of a base record that is removed one month, in the order of removal."""
        return self.special + self.going.at(rank % self.pool) if self.pool else 0

    def born(self, position: int) -> int:
        """The month, counted from 0, in which a position first appears."""
        return 0 if position < self.base else (position - self.base) // self.added + 1

    def state(self, position: int, month: int) -> int | None:
        """The version of a record in a month: 0 at first; None when the month lacks it."""
        if position >= self.base:
            if not self.added:
                return None
            batch, place = divmod(position - self.base, self.added)
            age = month - batch - 1
            if age < 0:
                return None
            return _versions(self._batch.rank(place), age * self._batch_changed, self.added)
        if position < self.special:
            return 0
        place = position - self.special
        rank = self.going.rank(place)
        if rank < self.volatile:
            gone = rank // self.removed + 1
            back = gone + _RETURNS_AFTER if rank % _RETURNS_EVERY == 0 else month + 1
            if gone <= month < back:
                return None
        return _versions(self._changing.rank(place), month * self.changed, self.pool)

    def records(self, month: int) -> Iterator[tuple[int, int]]:
        """Positions and versions of a month's records, by ascending id."""
        state = self.state
        for position in range(self.base + month * self.added):
            version = state(position, month)
            if version is not None:
                yield position, version


def _versions(rank: int, changes: int, size: int) -> int:
    """How often a rank was passed after so many changes that go round and round."""
    return max(0, (changes - rank + size - 1) // size)


@dataclass(frozen=True)
class Changes:
    """The ids by which a month differs from the month before."""

    added: frozenset[int]
    changed: frozenset[int]
    removed: frozenset[int]
    #: came back after having been removed
    restored: frozenset[int]


@dataclass(frozen=True)
class SamplePlan:
    """All months of one sample world.

    :param releases: releases of the first month; the other entities follow in proportion.
    :param special: how many records of each entity are special ones that stay as they are.
    """

    releases: int
    seed: int
    special: Mapping[Entity, int]
    churn: Churn = Churn()

    def __post_init__(self) -> None:
        if self.releases < 1:
            raise ValueError("releases must be at least 1")

    @cached_property
    def _entities(self) -> dict[Entity, EntityPlan]:
        return {
            entity: EntityPlan(
                entity,
                max(_LEAST[entity], round(SHARES[entity] * self.releases)),
                self.special[entity],
                self.churn,
                self.seed,
            )
            for entity in Entity
        }

    def of(self, entity: Entity) -> EntityPlan:
        return self._entities[entity]

    def month(self, index: int) -> SampleMonth:
        """:param index: 0 for the first month."""
        if index < 0:
            raise ValueError("a sample has no months before its first")
        return SampleMonth(self, index)


@dataclass(frozen=True)
class SampleMonth:
    """What one month of a sample holds, told without writing it."""

    plan: SamplePlan
    index: int

    def versions(self, entity: Entity) -> dict[int, int]:
        """Every id of the month with its version."""
        records = self.plan.of(entity).records(self.index)
        return {id_at(position): version for position, version in records}

    def ids(self, entity: Entity) -> list[int]:
        return list(self.versions(entity))

    def version(self, entity: Entity, record_id: int) -> int | None:
        """A record's version, from 0 up; None when the month lacks it."""
        position = position_of(record_id)
        return None if position is None else self.plan.of(entity).state(position, self.index)

    def changes(self, entity: Entity) -> Changes:
        """By which ids the month differs from the month before; nothing in the first month."""
        if self.index == 0:
            return Changes(frozenset(), frozenset(), frozenset(), frozenset())
        before, now = self.plan.month(self.index - 1).versions(entity), self.versions(entity)
        new = now.keys() - before.keys()
        born = self.plan.of(entity).born
        added = {i for i in new if born(position_of(i) or 0) == self.index}
        return Changes(
            added=frozenset(added),
            changed=frozenset(i for i in now.keys() & before.keys() if now[i] != before[i]),
            removed=frozenset(before.keys() - now.keys()),
            restored=frozenset(new - added),
        )
