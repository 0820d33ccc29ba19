"""Tables to draw from: a power of two of entries, so that a draw is a mask and a look-up.

An entry that stands in a table several times is drawn that much more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from typing import TypeVar

T = TypeVar("T")


def table(entries: Iterable[T], size: int) -> tuple[T, ...]:
    """The entries, repeated up to so many (a power of two)."""
    return tuple(islice(cycle(list(entries)), size))


def words(text: str) -> list[str]:
    return text.split()


def listed(text: str) -> list[str]:
    """The phrases of a text that slashes part; a line's end is a space."""
    return [" ".join(phrase.split()) for phrase in text.split("/")]


def weighted(weights: Sequence[tuple[T, int]], size: int = 1024) -> tuple[T, ...]:
    """A table in which each entry's share follows its weight; every entry stands in it."""
    total = sum(weight for _, weight in weights)
    rows = [entry for entry, weight in weights for _ in range(max(1, weight * size // total))]
    return tuple((rows + [weights[0][0]] * size)[:size])
