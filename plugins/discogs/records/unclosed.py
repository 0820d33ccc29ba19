"""Separation of unclosed records from the records that follow them.

The splitter takes an unclosed record and the next one together, up to the next closing tag. The
next record can be found, since no record has an element of its own name inside.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from lxml import etree

from discogs.records.record_xml import is_well_formed, parse_record
from discogs.records.splitter import SECTION_BYTES, Chunk
from discogs.schema.model import EntityMapping

_HIDING = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))


class UnclosedRecords:
    """Finds unclosed records of one entity."""

    def __init__(self, mapping: EntityMapping) -> None:
        tag = mapping.entity.record.encode()
        self._start = b"<" + tag
        self._opening = re.compile(rb"<%b(?=[\s/>])" % tag)
        # What may follow a record: another record, a comment or similar, or the root's closing tag.
        self._following = re.compile(rb"\s*(?:<%b[\s/>s]|<!|<\?|</%bs|\Z)" % (tag, tag))
        # If elements of the record's name nest, the splitter has already separated the records.
        self._separated = mapping.record_nests

    def resolve(self, chunk: Chunk, suspects: npt.NDArray[np.int64]) -> Chunk | None:
        """End unclosed records of a chunk before the records in them.

        :param suspects: the positions of the records that may be unclosed.
        :returns: the new chunk; None if no record is unclosed.
        """
        if self._separated or not len(suspects):
            return None
        inner: dict[int, list[int]] = {}
        starts, ends = chunk.starts, chunk.ends
        find, tag, size = chunk.data.find, self._start, len(self._start)
        for index in suspects.tolist():
            start, end = starts[index], ends[index]
            at = find(tag, start + size, end)
            while at >= 0:
                if chunk.data[at + size] in b" \t\r\n/>":
                    inner[index] = self._records_within(chunk, start, end)
                    break
                at = find(tag, at + size, end)
        if not any(inner.values()):
            return None
        new_starts: list[int] = []
        new_ends: list[int] = []
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            own = [start, *inner.get(index, ())]
            new_starts += own
            new_ends += [*own[1:], end]
        return replace(chunk, starts=new_starts, ends=new_ends)

    def _records_within(self, chunk: Chunk, start: int, end: int) -> list[int]:
        """Where other records start inside a record; empty if it is well-formed.

        An opening tag at the start of a line begins a record. A tag elsewhere may be part of a
        text: it begins a record only if the last one found is a complete record, followed by
        another record or the root's closing tag.
        """
        data = chunk.data
        xml = data[start:end]
        if is_well_formed(xml):
            return []
        found = [match.start() for match in self._opening.finditer(xml, 1)]
        found = [start + at for at in found]
        found = [at for at in found if not _is_hidden(data, start, at)]
        if not found:
            return []
        is_whole = _is_record(data[found[-1] : end]) and self._following.match(data, end)
        return found if is_whole else [at for at in found if _starts_a_line(data, start, at)]


def _is_record(xml: bytes) -> bool:
    """Whether some bytes are an element with children, as every record is."""
    try:
        return len(parse_record(xml).element) > 0
    except etree.XMLSyntaxError:
        return False


def _starts_a_line(data: bytes, start: int, at: int) -> bool:
    return data[start:at].rstrip(b" \t").endswith(b"\n")


def _is_hidden(data: bytes, start: int, at: int) -> bool:
    """Whether a position is in a comment or CDATA section that begins at or after ``start``.

    An unclosed section hides nothing, and a comment cannot contain ``--``.
    """
    for opening, closing in _HIDING:
        begin = data.rfind(opening, start, at)
        if begin < 0 or data.find(closing, begin, at) >= 0:
            continue
        end = data.find(closing, at, at + SECTION_BYTES)
        if end >= 0 and (opening != b"<!--" or data.find(b"--", begin + 4) == end):
            return True
    return False
