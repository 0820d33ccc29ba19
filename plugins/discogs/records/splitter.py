"""Splitting a dump's byte stream into complete records, without parsing them.

A record starts where the one before it ended, and ends at its closing tag. Nesting is counted only
for entities whose records have elements of the same name inside (``label`` in ``sublabels``). Bytes
that belong to no record are not skipped silently: they are rejected, or an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from discogs.records.block import REJECTED_XML_BYTES, Rejected
from discogs.records.errors import CorruptDump, TruncatedDump
from discogs.records.header import MISC, long_enough, not_a_dump, read_header
from discogs.records.record_xml import is_well_formed
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS

_SPACE = b" \t\r\n"
#: The start of a comment, CDATA section or processing instruction, in which tags have no meaning.
_SECTION = re.compile(rb"<!--|<!\[CDATA\[|<\?")
_SECTION_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
#: The end of a section in a record is searched for in this many bytes.
SECTION_BYTES = 64 * 1024
#: The longest tag, and the longest closing tag of the root with the white space after it.
_TAG_BYTES = 64


@dataclass
class Chunk:
    """Bytes of a file, and the complete records in them: ``data[starts[i]:ends[i]]``."""

    data: bytes
    #: Where ``data`` starts in the decompressed file.
    offset: int
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def split(
    pieces: Iterator[bytes], entity: Entity, name: str, max_record_bytes: int
) -> Iterator[Chunk]:
    """Split a dump's bytes, in pieces of any size, into records.

    :param max_record_bytes: a longer record is rejected, and is not buffered as a whole.
    :raises NotADump: when the root element is not the entity's, or a document type is declared.
    :raises TruncatedDump: when the root element is not closed; without a root element, when the
        last record is not closed.
    :raises CorruptDump: when records follow the root element, or when more than
        ``max_record_bytes`` in a row belong to no record.
    """
    yield from _Splitter(entity, name, max_record_bytes).chunks(pieces)


class _Splitter:
    def __init__(self, entity: Entity, name: str, max_record_bytes: int) -> None:
        self.entity = entity
        self.name = name
        self.limit = max_record_bytes
        tag = entity.record.encode()
        self.close = b"</" + tag + b">"
        #: What precedes and begins a record in Discogs' files, where records follow one another.
        self.usual = b"\n<" + tag + (b" " if MAPPINGS[entity].id_path == "@id" else b">")
        root = str(entity).encode()
        self.root_end = re.compile(rb"\s*</" + root + rb"\s*>")
        self.last = re.compile(rb"</" + root + rb"\s*>\s*\Z")
        self.restarts = re.compile(rb"<(?:" + tag + rb"|" + root + rb")(?=[\s/>])")
        self.opens = re.compile(rb"<" + tag + rb"(?=[\s/>])")
        # Quoted values may hold ">", so an opening tag is read with its quotes.
        tags = rb"<%b(?=[\s/>])(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>|</%b\s*>" % (tag, tag)
        sections = rb"|(<!)(?:--(?s:.{,%d}?)-->|\[CDATA\[(?s:.{,%d}?)\]\]>)"
        self.tags = re.compile(tags + rb"|(?!)()")
        self.tags_outside = re.compile(tags + sections % (SECTION_BYTES, SECTION_BYTES))
        self.nests = MAPPINGS[entity].record_nests
        # A label in sublabels has only text, while a record begins with a child element.
        start = rb"(<" + tag + (rb">\s*<[^/!]" if self.nests else rb"(?=[\s/>])") + rb")"
        self.next_start = re.compile(start)
        self.next_line = re.compile(rb"\n[ \t]*" + start)
        #: Whether the file has no root element, as files before 2015.
        self.rootless = False
        #: Whether these are the last bytes of the file.
        self.final = False
        #: Where the next comment or CDATA section starts in the current bytes.
        self.section = 0
        #: Whether the root element has ended.
        self.ended = False
        #: Where it ended, and the bytes after it.
        self.end_offset = 0
        self.trailing = b""
        self.chunk = Chunk(b"", 0)
        #: Where an over-long record began whose end is not found yet.
        self.skipping: int | None = None
        self.skipped = b""

    def chunks(self, pieces: Iterator[bytes]) -> Iterator[Chunk]:
        rest, offset, found = b"", 0, False
        for piece in long_enough(pieces):
            data = rest + piece if rest else piece
            start = 0
            if not found:
                header = read_header(data, self.entity, self.name)
                if header is None:
                    rest = data
                    continue
                found, start = True, header.end
                self.rootless, self.ended, self.end_offset = header.rootless, header.empty, start
            self.chunk = Chunk(data, offset)
            used = self._records(data, start)
            yield self.chunk
            rest, offset = data[used:], offset + used
        if not found:
            raise not_a_dump(self.name, rest)
        self.final = True
        self.chunk = Chunk(rest, offset)
        self._finish(rest, self._records(rest, 0))
        yield self.chunk
        if not self.ended:
            what = "last record" if self.rootless else f"root element <{self.entity}>"
            raise TruncatedDump(
                self.name, f"its {what} is not closed at byte {offset + len(rest):,}"
            )

    def _records(self, data: bytes, start: int) -> int:
        """Add the complete records of ``data``, from ``start``, to the chunk.

        :returns: where the first incomplete record starts.
        """
        if self.ended:
            return self._keep_trailing(data, start)
        starts, ends = self.chunk.starts, self.chunk.ends
        self.section = self._next_section(data, start)
        starts_with, usual, limit = data.startswith, self.usual, self.limit
        while True:
            if self.skipping is not None:
                start = self._skip(data, start)
                if self.skipping is not None:
                    return start
            if starts_with(usual, start):
                start += 1
            else:
                start, more = self._between(data, start)
                if not more:
                    return start
            end = self._end(data, start)
            if end > self.section:
                end = self._past_sections(data, start, end)
            if end < 0 or end - start > limit:
                reach = end if end >= 0 else len(data)
                if reach - start <= limit:
                    return start
                # The record may be unclosed, and the end found that of a later record.
                following = self.next_line.search(data, start, reach)
                end = following.start(1) if following else end
            if end < 0:
                self.skipping = self.chunk.offset + start
                self.skipped = data[start : start + min(limit, REJECTED_XML_BYTES)]
                # Its closing tag may be divided between this chunk and the next.
                return max(start + 1, len(data) - _TAG_BYTES)
            if end - start > limit:
                self._reject(start, data[start : start + limit], self._too_long(end - start))
            else:
                starts.append(start)
                ends.append(end)
            start = end

    def _end(self, data: bytes, start: int) -> int:
        """Where the record that starts at ``start`` ends; -1 if its end is not in ``data``."""
        if not self.nests:
            end = data.find(self.close, start)
            return end + len(self.close) if end >= 0 else -1
        end, hidden = self._nested_end(data, start, self.tags_outside)
        if end < 0 and not self.final:
            return -1
        if hidden and not (end >= 0 and is_well_formed(data[start:end])):
            # The section may be unclosed, and the end found that of a later section.
            end, _ = self._nested_end(data, start, self.tags)
        return end

    def _nested_end(self, data: bytes, start: int, tags: re.Pattern[bytes]) -> tuple[int, bool]:
        """Where a record ends that may have elements of its own name, and whether a section before
        the end hides such tags.
        """
        depth, hidden = 0, False
        for tag in tags.finditer(data, start):
            if tag[1]:
                hidden = hidden or self.tags.search(tag[0]) is not None
                continue
            if tag[0].startswith(b"</"):
                depth -= 1
            elif depth and self.next_start.match(data, tag.start()):
                # The outer record is unclosed; it ends here, before the next record.
                return tag.start(), hidden
            elif not tag[0].endswith(b"/>"):
                depth += 1
            if depth <= 0:
                return tag.end(), hidden
        return -1, hidden

    def _next_section(self, data: bytes, at: int) -> int:
        """Where the next comment or CDATA section starts; the end of the bytes if there is none."""
        # Searching for one byte is much faster than for two.
        while (at := data.find(b"!", at)) >= 0:
            if data[at - 1 : at] == b"<":
                return at - 1
            at += 1
        return len(data)

    def _past_sections(self, data: bytes, start: int, end: int) -> int:
        """The end of a record, if the closing tag at ``end`` may be inside a comment or a CDATA
        section; -1 when more bytes are needed.
        """
        first, at, hidden = end, start, False
        while section := _SECTION.search(data, at, end):
            close = _SECTION_ENDS[section[0]]
            reach = section.end() + SECTION_BYTES
            stop = data.find(close, section.end(), reach)
            if stop < 0:
                if len(data) < reach and not self.final:
                    return -1
                end, at = first, section.end()  # an unclosed section hides nothing
                continue
            at = stop + len(close)
            if at > end - len(self.close) and not self.nests:
                hidden = True
                end = self._end(data, at)
                if end < 0:
                    if not self.final:
                        return -1
                    end = first
                    break
        if end > self.section:
            self.section = self._next_section(data, end)
        if hidden and end != first and not is_well_formed(data[start:end]):
            return first
        return end

    def _is_between(self, data: bytes, start: int, end: int) -> bool:
        """Whether a section from ``start`` to ``end`` is one section between records, rather than
        an unclosed one whose apparent end is in a record or ends a later section.
        """
        opened = [match.start() for match in self.opens.finditer(data, start, end)]
        if not opened:
            return True
        if data.startswith(b"<!--", start) and data.find(b"--", start + 4) != end - 3:
            return False
        return data.rfind(self.close, start, end) > opened[-1]

    def _between(self, data: bytes, start: int) -> tuple[int, bool]:
        """Skip the bytes before the next record.

        :returns: where the next record starts, and True; or where to continue, and False.
        """
        while True:
            if self.ended:
                return self._keep_trailing(data, start), False
            rest = (
                start
                + len(data[start : start + 4096])
                - len(data[start : start + 4096].lstrip(_SPACE))
            )
            if rest == len(data):
                return rest, False
            if rest - start == 4096:
                start = rest
                continue
            start = rest
            if self.opens.match(data, start):
                return start, True
            if end := self.root_end.match(data, start):
                self.ended = True
                self.end_offset = self.chunk.offset + end.end()
                start = end.end()
                continue
            if section := _SECTION.match(data, start):
                close = _SECTION_ENDS[section[0]]
                stop = data.find(close, section.end())
                if stop < 0 and not self.final and len(data) - start <= self.limit:
                    return start, False
                end_at = stop + len(close)
                if 0 <= stop <= start + self.limit and self._is_between(data, start, end_at):
                    if section[0] == b"<![CDATA[":
                        self._reject_between(start, end_at)
                    start = end_at
                    continue
            found = [
                pattern.search(data, start + 1) for pattern in (self.opens, self.root_end, _SECTION)
            ]
            stops = [match.start() for match in found if match]
            if not stops:
                # A tag may be divided between this chunk and the next.
                if len(data) - start > max(self.limit, _TAG_BYTES):
                    self._reject_between(start, len(data))
                return start, False
            self._reject_between(start, min(stops))
            start = min(stops)

    def _skip(self, data: bytes, start: int) -> int:
        """Skip the rest of an over-long record; where it, or ``data``, ends."""
        end = data.find(self.close, start)
        end = end + len(self.close) if end >= 0 else end
        following = self.next_line.search(data, start, end if end >= 0 else len(data))
        if following:
            end = following.start(1)
        if end < 0:
            return max(start, len(data) - _TAG_BYTES)
        self._end_skipping(end)
        return end

    def _end_skipping(self, end: int) -> None:
        assert self.skipping is not None
        size = self.chunk.offset + end - self.skipping
        reject = Rejected(self.skipping, None, self._too_long(size), self.skipped)
        self.chunk.rejected.append(reject)
        self.skipping, self.skipped = None, b""

    def _keep_trailing(self, data: bytes, start: int) -> int:
        """Keep the bytes after the root element, to reject them at the end.

        :raises CorruptDump: when there are records or too many bytes.
        """
        self.trailing += data[start:]
        more_records = self.restarts.search(self.trailing)
        if more_records or len(self.trailing) > self.limit:
            what = "records" if more_records else f"more than {self.limit:,} bytes"
            raise CorruptDump(
                self.name,
                f"its root element <{self.entity}> ends at byte {self.end_offset:,}, and {what}"
                " follow",
            )
        return len(data)

    def _finish(self, rest: bytes, start: int) -> None:
        """Handle the end of the file: a last record that is unclosed, or bytes after the root.

        :param rest: the last bytes of the file.
        :param start: where the last complete record ends in them.
        """
        if self.ended:
            trailing = self.trailing
            while misc := MISC.match(trailing):
                trailing = trailing[misc.end() :]
            if trailing.strip(_SPACE):
                reason = f"{len(trailing):,} bytes after the end of the root element"
                xml = self.trailing[:REJECTED_XML_BYTES]
                reject = Rejected(self.end_offset, None, reason, xml, may_be_record=False)
                self.chunk.rejected.append(reject)
        elif self.rootless and self.skipping is None and not rest[start:].strip(_SPACE):
            self.ended = True
        elif last := self.last.search(rest, start):
            self.ended = True
            if self.skipping is not None:
                self._end_skipping(last.start())
            else:
                self.chunk.starts.append(start)
                self.chunk.ends.append(last.start())

    def _reject(self, start: int, xml: bytes, reason: str) -> None:
        where = self.chunk.offset + start
        self.chunk.rejected.append(Rejected(where, None, reason, xml[:REJECTED_XML_BYTES]))

    def _reject_between(self, start: int, end: int) -> None:
        """Reject bytes that belong to no record.

        :raises CorruptDump: when there are more of them than a record may have.
        """
        size = end - start
        if size > self.limit:
            where = self.chunk.offset + start
            raise CorruptDump(
                self.name, f"at byte {where:,}, {size:,} bytes or more belong to no record"
            )
        self._reject(start, self.chunk.data[start:end], f"{size:,} bytes between records")

    def _too_long(self, size: int) -> str:
        return f"the record is longer than {self.limit:,} bytes: it has {size:,}"
