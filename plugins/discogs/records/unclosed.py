"""Records behind one that is never closed.

Such a record is cut at the end of the next one, which it would take with it. The next ones
stand at the start of a line, so they can be told apart and read for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from lxml import etree

from discogs.records.lxml_parser import parse_record
from discogs.records.splitter import Chunk
from discogs.schema.entities import Entity

_NEWLINE, _LESS = b"\n<"
#: So many pairs at a time stay in the processor's cache.
_PART = 128 * 1024
_HIDDEN = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))


class Unclosed:
    """Finds the records of one entity that lack their end."""

    def __init__(self, entity: Entity) -> None:
        tag = entity.record.encode()
        self._line = b"\n<" + tag
        self._opens = re.compile(re.escape(self._line) + rb"(?=[\s/>])")

    def splits(self, cut: Chunk, places: Iterable[int] | None) -> dict[int, list[int]]:
        """Where the records behind unclosed ones start, by the place of the unclosed one.

        :param places: which of the cut's records to look into; None for all.
        """
        found: dict[int, list[int]] = {}
        candidates = self._everywhere(cut) if places is None else self._within(cut, places)
        for place, start in candidates:
            found.setdefault(place, []).append(start)
        return {
            place: visible
            for place, starts in found.items()
            if (visible := _visible(cut, place, starts))
        }

    def _within(self, cut: Chunk, places: Iterable[int]) -> Iterator[tuple[int, int]]:
        data, line = cut.data, self._line
        for place in places:
            start, end = cut.starts[place], cut.ends[place]
            # Looked for without a pattern, since it is nearly never there.
            if data.find(line, start, end) >= 0:
                for match in self._opens.finditer(data, start, end):
                    yield place, match.start() + 1

    def _everywhere(self, cut: Chunk) -> Iterator[tuple[int, int]]:
        if not cut.starts:
            return
        starts = np.array(cut.starts, np.int64)
        first, last = cut.starts[0], cut.ends[-1]
        text = np.frombuffer(cut.data, np.uint8)
        by_lines = bool(np.all(text[starts[1:] - 1] == _NEWLINE))
        if by_lines and _count_pairs(text[first:last]) == len(starts) - 1:
            return  # The usual file: nothing but records starts a line with a tag.
        at: npt.NDArray[np.int64] = np.flatnonzero(text[first:last] == _NEWLINE) + first
        at = at[at < last - 2]
        at = at[text[at + 1] == _LESS]
        place = np.searchsorted(starts, at, side="right") - 1
        inside = at + 1 < np.array(cut.ends, np.int64)[place]
        for number, start in zip(place[inside].tolist(), at[inside].tolist(), strict=True):
            if self._opens.match(cut.data, start):
                yield number, start + 1


def _count_pairs(text: npt.NDArray[np.uint8]) -> int:
    """How many lines start with a tag: pairs of bytes are compared, at even and odd places."""
    pair = np.frombuffer(bytes((_NEWLINE, _LESS)), np.uint16)[0]
    count = 0
    for shifted in (text, text[1:]):
        pairs = shifted[: len(shifted) // 2 * 2].view(np.uint16)
        for part in range(0, len(pairs), _PART):
            count += int(np.count_nonzero(pairs[part : part + _PART] == pair))
    return count


def _visible(cut: Chunk, place: int, starts: list[int]) -> list[int]:
    """Those starts that are what they seem: the record is broken, and they are no text of it."""
    begin, end = cut.starts[place], cut.ends[place]
    try:
        parse_record(cut.data[begin:end])
    except etree.XMLSyntaxError:
        return [start for start in starts if not _hidden(cut.data, begin, start)]
    return []


def _hidden(data: bytes, begin: int, at: int) -> bool:
    return any(data.rfind(o, begin, at) > data.rfind(c, begin, at) for o, c in _HIDDEN)
