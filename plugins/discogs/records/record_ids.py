"""The ids of an entity's records, read from their bytes.

Nearly all records have their id where Discogs' dumps usually have it; only the others are parsed.
"""

from __future__ import annotations

import re

from lxml import etree

from discogs.records.record_xml import parse_record, read_value, reason_of
from discogs.records.splitter import Chunk
from discogs.schema.model import EntityMapping

#: The largest value of PostgreSQL's integer.
MAX_ID = 2**31 - 1


class RecordIds:
    """Reads the ids of one entity's records; 0 means that a record has none."""

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
        """The ids of a chunk's records, in or out of range, and those of its rejected records."""
        data, match = chunk.data, self._usual.match
        found = [match(data, start) for start in chunk.starts]
        ids = [
            int(usual[1]) if usual else self._parsed(data[start:end])
            for usual, start, end in zip(found, chunk.starts, chunk.ends, strict=True)
        ]
        return ids, [self._of_rejected(reject.xml) for reject in chunk.rejected]

    def problem(self, xml: bytes) -> tuple[str, bool]:
        """The reason why a record without a usable id is rejected, and whether it may be a stored
        record: not if its id is 0 or out of range, since no table has such ids.
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
        """The id of bytes that the splitter has rejected; they may be the start of a record."""
        if not self._opening.match(xml):
            return 0
        usual = self._usual.match(xml)
        number = int(usual[1]) if usual else self._parsed(xml)
        return number if number <= MAX_ID else 0

    def _parsed(self, xml: bytes) -> int:
        """The id of a record that has it in an unusual place, or is not well-formed."""
        text = read_value(xml, self._path)
        if text is None and self._path.startswith("@") and (found := self._attribute.match(xml)):
            text = found[1].decode()
        text = (text or "").strip()
        return int(text) if re.fullmatch(r"\+?[0-9]{1,18}", text) else 0


def _empty_rows(mapping: EntityMapping) -> bytes:
    """A pattern for elements that may precede the id: rows that have only attributes, as images."""
    patterns = [
        rb"(?:<%b>(?:\s*<%b[^<>]*/>)*\s*</%b>\s*)?"
        % (rows.container.encode(), rows.element.encode(), rows.container.encode())
        for rows in mapping.rows
        if rows.container and all(field.path.startswith("@") for field in rows.fields)
    ]
    return b"".join(patterns)
