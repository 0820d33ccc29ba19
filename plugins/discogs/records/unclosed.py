"""Records that follow one that is never closed.

Such a record reaches to the end of the next one, which it would take with it. The next ones
stand at the start of a line, so they can be found and read for themselves.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from lxml import etree

from discogs.records.record_xml import parse_record
from discogs.records.splitter import Chunk
from discogs.schema.model import EntityMapping

_LINE_OF_A_TAG = np.frombuffer(b"\n<", np.uint16)[0]
_HIDING = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))


class UnclosedRecords:
    """Finds the records of one entity that lack their end."""

    def __init__(self, mapping: EntityMapping) -> None:
        tag = mapping.entity.record.encode()
        self._line = b"\n<" + tag
        self._opening = re.compile(re.escape(self._line) + rb"(?=[\s/>])")
        # Where an element named like the record nests, the splitter has counted its depth.
        self._never = mapping.record_nests

    def resolve(self, chunk: Chunk, suspects: npt.NDArray[np.int64]) -> Chunk | None:
        """The chunk with unclosed records ended before those that they hold; None if it has none.

        :param suspects: the positions of the chunk's records that may be unclosed.
        """
        if self._never or not len(suspects):
            return None
        data = chunk.data
        inner = {}
        for index in self._with_lines(chunk, suspects):
            start, end = chunk.starts[index], chunk.ends[index]
            if data.find(self._line, start, end) >= 0:
                within = _records_within(data[start:end], self._opening)
                inner[index] = [start + at for at in within]
        if not any(inner.values()):
            return None
        starts: list[int] = []
        ends: list[int] = []
        for index, (start, end) in enumerate(zip(chunk.starts, chunk.ends, strict=True)):
            own = [start, *inner.get(index, ())]
            starts += own
            ends += [*own[1:], end]
        return replace(chunk, starts=starts, ends=ends)

    def _with_lines(self, chunk: Chunk, suspects: npt.NDArray[np.int64]) -> list[int]:
        """Those suspects in which a line starts with a tag."""
        if 4 * len(suspects) < len(chunk.starts):
            few: list[int] = suspects.tolist()
            return few  # searched one by one
        starts, ends = np.array(chunk.starts), np.array(chunk.ends)
        lines = _tag_lines(np.frombuffer(chunk.data, np.uint8))
        lines = lines[(lines >= starts[0]) & (lines < ends[-1])]
        index = np.searchsorted(starts, lines, side="right") - 1
        found: list[int] = np.intersect1d(suspects, index[lines < ends[index]]).tolist()
        return found


def _tag_lines(text: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Where lines start with a tag, in no order; fast, since two bytes are compared at a time."""
    found = []
    for first in (0, 1):
        pairs = text[first : first + (len(text) - first) // 2 * 2].view(np.uint16)
        found.append(2 * np.flatnonzero(pairs == _LINE_OF_A_TAG) + first)
    return np.concatenate(found)


def _records_within(xml: bytes, opening: re.Pattern[bytes]) -> list[int]:
    """Where other records start in the bytes of one; none where it is well-formed."""
    found = [match.start() + 1 for match in opening.finditer(xml)]
    if not found:
        return []
    try:
        parse_record(xml)
    except etree.XMLSyntaxError:
        return [start for start in found if not _is_hidden(xml, start)]
    return []


def _is_hidden(xml: bytes, at: int) -> bool:
    """Whether a comment or a CDATA section covers a position."""
    return any(xml.rfind(o, 0, at) > xml.rfind(c, 0, at) for o, c in _HIDING)
