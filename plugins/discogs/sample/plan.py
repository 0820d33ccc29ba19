"""The records of a sample's months, and their versions, computed from the seed.

Each entity has base records, present from the first month, and a batch of additions each month.
Records are numbered by *position*; their ids ascend with the positions, with gaps. For the base
records, two permutations determine when they are removed and when they change. So any month can be
computed without those before it, and each removes and changes the same number of records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from discogs.schema.entities import Entity

# How much a month differs from the month before, as shares of the first month's records; at least
# one record per entity.
CHANGED = 0.02
ADDED = 0.004
REMOVED = 0.0005

_BLOCK = 26
# The remainders of 194, 355 and 118760, artists that real dumps credit without a record. No record
# has an id with these remainders.
_FREE = (12, 17, 18)
_TAKEN = tuple(offset for offset in range(1, _BLOCK + 1) if offset % _BLOCK not in _FREE)

# Every third removed record is restored two months later.
_RETURNS_EVERY = 3
_RETURNS_AFTER = 2

# Records of the other entities for one release, as in the dump of 2026-06.
_SHARES: Mapping[Entity, float] = {
    Entity.LABELS: 0.125,
    Entity.ARTISTS: 0.53,
    Entity.MASTERS: 0.134,
    Entity.RELEASES: 1.0,
}
# At least as many as stay unchanged, even in a sample of few releases.
_LEAST: Mapping[Entity, int] = {
    Entity.LABELS: 48,
    Entity.ARTISTS: 64,
    Entity.MASTERS: 32,
    Entity.RELEASES: 1,
}
#: The number of records at the start of each file that are never changed or removed.
STAYING: Mapping[Entity, int] = {
    Entity.LABELS: 11,
    Entity.ARTISTS: 19,
    Entity.MASTERS: 10,
    Entity.RELEASES: 50,
}


def id_at(position: int) -> int:
    """The id of the record at a position, counted from 0."""
    block, rest = divmod(position, len(_TAKEN))
    return block * _BLOCK + _TAKEN[rest]


def absent_id(number: int) -> int:
    """An id that no record of a sample has, for dangling references."""
    return number // 3 * _BLOCK + _FREE[number % 3]


def hashed(*parts: object) -> int:
    """A 64-bit hash of the parts."""
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
        """:param spread: the distance of successive values, as a share of the range."""
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


def _count(share: float, of: int, most: int) -> int:
    return min(most, max(1, round(share * of)))


class EntityPlan:
    """The records of one entity over all months.

    :param base: the number of records in the first month.
    """

    def __init__(self, entity: Entity, base: int, seed: int) -> None:
        self.base = base
        self.staying = min(STAYING[entity], base)
        #: The number of records that can change and be removed.
        self.pool = base - self.staying
        self.added = _count(ADDED, base, base)
        self._changed = _count(CHANGED, base, self.pool)
        removed = self._removed = _count(REMOVED, base, self.pool // 8)
        #: The order of removal: the first ``volatile`` ranks are removed, a number each month.
        self.going = Shuffle.make(self.pool, 0.6180339, hashed(seed, entity.value, "going"))
        volatile = min(self.pool // 2, max(self.pool // 8, 24 * removed))
        self.volatile = volatile // removed * removed if removed else 0
        self._changing = Shuffle.make(self.pool, 0.7548776, hashed(seed, entity.value, "changing"))
        self._batch_changed = round(CHANGED * self.added)
        self._batch = Shuffle.make(self.added, 0.6180339, hashed(seed, entity.value, "batch"))

    def stays(self, rank: int) -> int:
        """The position of a base record that is in every month.

        :param rank: taken modulo ``pool - volatile``.
        """
        if self.pool <= self.volatile:
            return rank % self.base
        return self.staying + self.going.at(self.volatile + rank % (self.pool - self.volatile))

    def added_at(self, position: int) -> tuple[int, int]:
        """The batch of an added record, and its position in the batch."""
        return divmod(position - self.base, self.added)

    def born(self, position: int) -> int:
        """The month, counted from 0, in which a position first appears."""
        return 0 if position < self.base else self.added_at(position)[0] + 1

    def state(self, position: int, month: int) -> int | None:
        """The version of a record in a month, from 0; None when the month does not have it."""
        if position >= self.base:
            batch, place = self.added_at(position)
            age = month - batch - 1
            if age < 0:
                return None
            return _versions(self._batch.rank(place), age * self._batch_changed, self.added)
        if position < self.staying:
            return 0
        place = position - self.staying
        rank = self.going.rank(place)
        if rank < self.volatile:
            gone = rank // self._removed + 1
            back = gone + _RETURNS_AFTER if rank % _RETURNS_EVERY == 0 else month + 1
            if gone <= month < back:
                return None
        return _versions(self._changing.rank(place), month * self._changed, self.pool)

    def size(self, month: int) -> int:
        """The number of positions in a month, those of removed records included."""
        return self.base + month * self.added

    def records(self, month: int, *, shuffled: bool = False) -> Iterator[tuple[int, int]]:
        """The positions and versions of a month's records.

        :param shuffled: in a shuffled order, the same for all months of equal size; else by
            ascending id.
        """
        size = self.size(month)
        order = Shuffle.make(size, 0.3819661, 0).at if shuffled else int
        for position in map(order, range(size)):
            version = self.state(position, month)
            if version is not None:
                yield position, version


def _versions(rank: int, changes: int, size: int) -> int:
    """How often a rank was changed, after ``changes`` changes of the ranks in turn."""
    return max(0, (changes - rank + size - 1) // size)


@dataclass(frozen=True)
class SamplePlan:
    """All months of one sample.

    :param releases: releases of the first month; the other entities follow in proportion.
    """

    releases: int
    seed: int

    def __post_init__(self) -> None:
        if self.releases < 1:
            raise ValueError("releases must be at least 1")

    @cached_property
    def _entities(self) -> dict[Entity, EntityPlan]:
        sizes = {
            entity: max(_LEAST[entity], round(_SHARES[entity] * self.releases)) for entity in Entity
        }
        return {entity: EntityPlan(entity, size, self.seed) for entity, size in sizes.items()}

    def of(self, entity: Entity) -> EntityPlan:
        return self._entities[entity]
