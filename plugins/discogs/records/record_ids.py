"""The ids of one entity's records, read from their bytes.

Nearly every record has its id where Discogs writes it; only the others are parsed.
"""

from __future__ import annotations

import re

from lxml import etree

from discogs.records.record_xml import parse_record, read_value, reason_of
from discogs.records.splitter import Chunk
from discogs.schema.model import EntityMapping

#: The largest id that the tables' integer columns hold.
MAX_ID = 2**31 - 1


class RecordIds:
    """Reads ids of one entity's records; 0 means none."""

    def __init__(self, mapping: EntityMapping) -> None:
        self._path = mapping.id_path
        tag = re.escape(mapping.entity.record.encode())
        self._opening = re.compile(rb"<%b(?=[\s/>])" % tag)
        name = re.escape(self._path.lstrip("@").encode())
        if self._path.startswith("@"):
            self._usual = re.compile(rb'<%b %b="([0-9]{1,10})"' % (tag, name))
        else:
            self._usual = re.compile(
                rb"<%b>\s*%b<%b>\s*([0-9]{1,10})\s*</%b>" % (tag, _empty_rows(mapping), name, name)
            )
        self._attribute = re.compile(
            rb"""<%b(?:\s+[^\s=<>"']+\s*=\s*(?:"[^"]*"|'[^']*'))*?"""
            rb"""\s+%b\s*=\s*["']\s*([0-9]{1,10})\s*["']""" % (tag, name)
        )

    def read(self, chunk: Chunk) -> tuple[list[int], list[int]]:
        """The ids of a chunk's records, of any size, and those of what was rejected of it."""
        data, match = chunk.data, self._usual.match
        found = [match(data, start) for start in chunk.starts]
        ids = [
            int(usual[1]) if usual else self._parsed(data[start:end])
            for usual, start, end in zip(found, chunk.starts, chunk.ends, strict=True)
        ]
        return ids, [self._of_rejected(reject.xml) for reject in chunk.rejected]

    def complaint(self, xml: bytes) -> tuple[str, bool]:
        """What is wrong with a record that has no usable id, and whether its id cannot be read:
        0 and numbers out of range are ids that no table has.
        """
        try:
            text = (parse_record(xml).value(self._path) or "").strip()
        except etree.XMLSyntaxError as error:
            return reason_of(error), True
        if not text:
            return "the record has no id", True
        is_number = re.fullmatch(r"[+-]?[0-9]+", text) is not None
        return f"the id {text[:80]!r} is not a number from 1 to {MAX_ID}", not is_number

    def _of_rejected(self, xml: bytes) -> int:
        """The id of what was rejected unparsed: perhaps a record, of which this is the start."""
        if not self._opening.match(xml):
            return 0
        usual = self._usual.match(xml)
        number = int(usual[1]) if usual else self._parsed(xml)
        return number if number <= MAX_ID else 0

    def _parsed(self, xml: bytes) -> int:
        """The id of a record that is not written as usual, or not well-formed."""
        text = read_value(xml, self._path)
        if text is None and self._path.startswith("@") and (found := self._attribute.match(xml)):
            text = found[1].decode()
        text = (text or "").strip()
        return int(text) if re.fullmatch(r"\+?[0-9]{1,18}", text) else 0


def _empty_rows(mapping: EntityMapping) -> bytes:
    """A pattern for what may precede an id: rows that have but attributes, as images do."""
    patterns = [
        rb"(?:<%b>(?:\s*<%b[^<>]*/>)*\s*</%b>\s*)?"
        % (rows.container.encode(), rows.element.encode(), rows.container.encode())
        for rows in mapping.rows
        if rows.container and all(field.path.startswith("@") for field in rows.fields)
    ]
    return b"".join(patterns)
