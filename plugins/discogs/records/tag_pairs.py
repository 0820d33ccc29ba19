"""Which records hold a tag or an attribute where the mapping has none, without parsing them.

Of each start tag and attribute the name is read, and beside it the one before: pairs that cannot
follow each other in what the mapping reads show a record to look into; a text that holds the signs
of an attribute shows one as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_BIT6 = np.uint64(0x4040404040404040)
_ONES = np.uint64(0x0101010101010101)
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_BITS = 16
#: So many bytes are looked at together, few enough for a processor's cache.
_WINDOW = 128 * 1024


@dataclass
class Shape:
    """What the mapping reads of one element."""

    children: dict[str, Shape] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    text: bool = False

    def at(self, path: str) -> Shape:
        shape = self
        for name in filter(None, path.split("/")):
            shape = shape.children.setdefault(name, Shape())
        return shape


class TagPairs:
    """Finds records of one entity that hold more than its shape; one instance may be shared.

    :param record: the name of the record's element.
    """

    def __init__(self, record: str, shape: Shape) -> None:
        numbers: dict[str, int] = {}
        pairs = set(_pairs(record, shape))
        for name in sorted({name for pair in pairs for name in pair} | {record}):
            numbers[name] = len(numbers) + 1
        #: The number of a tag's or an attribute's name by its hash; 0 is unknown.
        self._tags = np.zeros(1 << _BITS, np.uint8)
        self._attributes = np.zeros(1 << _BITS, np.uint8)
        for name, number in numbers.items():
            if name.startswith("@"):
                word = np.frombuffer(name[1:].encode()[-8:].rjust(8, b"\0"), "<u8").astype(
                    np.uint64
                )
                self._attributes[_hashed(word)] = number
            else:
                words = np.frombuffer(name.encode()[:16].ljust(16, b"\0"), "<u8").astype(np.uint64)
                is_long = len(name) >= 8
                self._tags[_hashed(words[:1], words[1:] if is_long else None)] = number
        allowed = np.zeros((256, 256), np.bool_)
        allowed[:, numbers[record]] = True
        allowed[0, 1:] = True  # the unknown one before it has been found
        for before, name in pairs:
            allowed[numbers[before], numbers[name]] = True
        self._allowed = allowed.ravel()

    def odd(self, data: bytes | memoryview, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The positions, among some records, of those to look into.

        :param data: records, one after the other, each with its end tag.
        :param starts: where each starts in ``data``.
        """
        text = np.frombuffer(data, np.uint8)
        if len(text) < 24:
            return np.arange(len(starts))
        words = np.ndarray((len(text) - 7,), np.dtype("<u8"), data, 0, (1,))
        found, before = [], 0
        for start in range(0, len(text), _WINDOW):
            window = text[start : start + _WINDOW]
            at = np.flatnonzero((window & 0xFE) == ord("<")) + start  # "=" is the next byte
            at, keys = self._keys(text, words, at)
            if not len(keys):
                continue
            pairs = keys[:-1] * np.int32(256) + keys[1:]
            found.append(at[1:][~self._allowed[pairs]])
            if not self._allowed[before * 256 + int(keys[0])]:
                found.append(at[:1])
            before = int(keys[-1])
        positions = np.concatenate([np.empty(0, np.int64), *found])
        return np.unique(np.searchsorted(starts, positions, side="right") - 1)

    def _keys(
        self, text: npt.NDArray[np.uint8], words: Words, at: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """The start tags and attributes among some signs, and the numbers of their names."""
        following = text[np.minimum(at + 1, len(text) - 1)]
        is_tag = text[at] == ord("<")
        # Letters have bit 6; quotes, "/", "!" and "?" have not.
        kept = np.where(is_tag, following & 0x40, (following == 0x22) | (following == 0x27))
        kept = np.flatnonzero(kept)
        at, is_tag = at[kept], is_tag[kept]
        word = words[np.where(is_tag, np.minimum(at + 1, len(words) - 1), np.maximum(at - 8, 0))]
        tags, others = np.flatnonzero(is_tag), np.flatnonzero(~is_tag)
        keys = np.empty(len(at), np.int32)
        keys[tags] = self._tags[self._tag_names(words, word[tags], at[tags])]
        keys[others] = self._attributes[_hashed(_trailing(word[others]))]
        return at, keys

    def _tag_names(
        self, words: Words, first: Words, at: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The hashes of the names of start tags."""
        first = _leading(first)
        hashes = _hashed(first)
        long = np.flatnonzero(first >> np.uint64(56))
        second = _leading(words[np.minimum(at[long] + 9, len(words) - 1)])
        hashes[long] = _hashed(first[long], second)
        return hashes


def _leading(words: Words) -> Words:
    """Words cut before the first byte that is no letter and no underscore."""
    ends = ~words & _BIT6
    first: Words = ends & (~ends + np.uint64(1))
    cut: Words = words & ((first >> np.uint64(6)) - np.uint64(1))
    return cut


def _trailing(words: Words) -> Words:
    """Words cut after the last byte that is neither letter nor digit: white space, here."""
    # Letters have bit 6, digits bit 4, white space neither.
    gaps = ~(words | (words << np.uint64(2))) & _BIT6
    for shift in (8, 16, 32):
        gaps |= gaps >> np.uint64(shift)
    cleared: Words = words & ~(((gaps >> np.uint64(6)) & _ONES) * np.uint64(0xFF))
    return cleared


def _hashed(first: Words, second: Words | None = None) -> npt.NDArray[np.int64]:
    mixed: Words = first * _FACTORS[0]
    if second is not None:
        mixed = mixed + second * _FACTORS[1]
    hashes: npt.NDArray[np.int64] = (mixed >> np.uint64(64 - _BITS)).astype(np.int64)
    return hashes


def _pairs(record: str, shape: Shape) -> Iterator[tuple[str, str]]:
    """Names that may follow each other; an attribute's with an ``@`` before it."""

    def below(name: str, shape: Shape, above: tuple[Shape, ...]) -> Iterator[tuple[str, str]]:
        attributes = [f"@{attribute}" for attribute in shape.attributes]
        following = {child for each in (*above, shape) for child in each.children}
        for own in (name, *attributes):
            yield from ((own, attribute) for attribute in attributes)
            yield from ((own, child) for child in following)
        if not any(shape is each for each in above):
            for child, inner in shape.children.items():
                yield from below(child, inner, (*above, shape))

    yield from below(record, shape, ())
