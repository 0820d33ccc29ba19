"""Splitting a dump's byte stream into whole records, without parsing them.

A record starts where the one before it ended, and ends at its closing tag. Only where an
element of the same name nests (``label`` in ``sublabels``) must depth be counted. Bytes that
belong to no record are never skipped in silence: they are yielded as rejected, or an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from discogs.records.block import REJECTED_XML_BYTES, Rejected
from discogs.records.errors import CorruptDump, NotADump, TruncatedDump
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS

_SPACE = b" \t\r\n"
_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]*?\?>""")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
#: What a well-formed file may hold where no record is: comments and processing instructions.
_MISC = re.compile(rb"\s*(?:<!--.*?-->|<\?.*?\?>)", re.DOTALL)
#: The start of what may hold the text of a record without being one.
_SECTION = re.compile(rb"<!--|<!\[CDATA\[|<\?")
_SECTION_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_ROOT = re.compile(rb"\s*<([A-Za-z_][\w.-]*)(?:\s[^<>]*?)?(/?)>")
#: A header (declaration, comments, root) longer than this is not one.
_HEADER_BYTES = 64 * 1024
#: Tags, and the end of the root with the space after it, are shorter than this.
_TAG_BYTES = 64
#: How much of a file that is no dump is quoted.
_QUOTED_BYTES = 80
_BETWEEN = "bytes between records"


@dataclass
class Chunk:
    """Some bytes of a file and the whole records in them: ``data[starts[i]:ends[i]]`` is one."""

    data: bytes
    #: Where ``data`` starts in the unpacked file.
    offset: int
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def split(
    pieces: Iterator[bytes], entity: Entity, name: str, max_record_bytes: int
) -> Iterator[Chunk]:
    """Split a dump's bytes, in pieces of any size, into records.

    :param max_record_bytes: a longer record is rejected and never held whole.
    :raises NotADump: when the root element is not the entity's, or a document type is declared.
    :raises TruncatedDump: when the root element is never closed.
    :raises CorruptDump: when records, or very many bytes, follow the root element.
    """
    yield from _Splitter(entity, name, max_record_bytes).chunks(pieces)


class _Splitter:
    def __init__(self, entity: Entity, name: str, max_record_bytes: int) -> None:
        self.entity = entity
        self.name = name
        self.limit = max_record_bytes
        tag = entity.record.encode()
        self.close = b"</" + tag + b">"
        #: How a record follows another in the files as Discogs writes them.
        self.usual = b"\n<" + tag + (b" " if MAPPINGS[entity].id_path == "@id" else b">")
        root = str(entity).encode()
        self.root_end = re.compile(rb"\s*</" + root + rb"\s*>")
        self.last = re.compile(rb"</" + root + rb"\s*>\s*\Z")
        self.restarts = re.compile(rb"<(?:" + tag + rb"|" + root + rb")(?=[\s/>])")
        self.opens = re.compile(rb"<" + tag + rb"(?=[\s/>])")
        # Quoted values may hold ">", so an opening tag is read with its quotes.
        self.tags = re.compile(
            rb"<" + tag + rb"(?=[\s/>])(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>|</" + tag + rb"\s*>"
        )
        self.nests = MAPPINGS[entity].record_nests
        # A label within sublabels holds but a text, a record has children.
        self.next_line = re.compile(
            rb"\n<" + tag + (rb">\s*<[^/]" if self.nests else rb"(?=[\s/>])")
        )
        self.ended = False
        #: Where the root element ended, and what follows it.
        self.end_offset = 0
        self.trailing = b""
        self.chunk = Chunk(b"", 0)
        #: Where an over-long record began, while its end is still to come.
        self.skipping: int | None = None
        self.skipped = b""

    def chunks(self, pieces: Iterator[bytes]) -> Iterator[Chunk]:
        rest, offset, found = b"", 0, False
        for piece in _long_enough(pieces):
            data = rest + piece if rest else piece
            start = 0
            if not found:
                start = self._header(data)
                if start < 0:
                    if len(data) > _HEADER_BYTES:
                        raise NotADump(self.name, _first_words(data))
                    rest = data
                    continue
                found = True
            self.chunk = Chunk(data, offset)
            used = self._records(data, start)
            yield self.chunk
            rest, offset = data[used:], offset + used
        if not found:
            raise NotADump(self.name, _first_words(rest))
        self.chunk = Chunk(rest, offset)
        self._finish(rest)
        yield self.chunk
        if not self.ended:
            where = offset + len(rest)
            raise TruncatedDump(
                self.name, f"its root element <{self.entity}> is not closed at byte {where:,}"
            )

    def _header(self, data: bytes) -> int:
        """Where the records begin, or -1 when more bytes are needed to find out."""
        if data[:2] in (b"\xfe\xff", b"\xff\xfe") or b"\0" in data[:4]:
            raise NotADump(self.name, "it is encoded in UTF-16 or UTF-32, not UTF-8")
        at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        declaration = _DECLARATION.match(data, at)
        if declaration:
            encoding = _ENCODING.search(declaration[0])
            if encoding and encoding[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
                raise NotADump(self.name, f"it is encoded in {encoding[1].decode()}, not UTF-8")
            at = declaration.end()
        while misc := _MISC.match(data, at):
            at = misc.end()
        rest = data[at : at + 64].lstrip()
        if rest.upper().startswith(b"<!DOCTYPE"):
            raise NotADump(self.name, "it declares a document type, which no dump does")
        root = _ROOT.match(data, at)
        if root is None:
            if rest and not rest.startswith(b"<"):
                raise NotADump(self.name, _first_words(data))
            return -1
        if root[1] != str(self.entity).encode():
            raise NotADump(
                self.name, f"its root element is <{root[1].decode()}>, not <{self.entity}>"
            )
        self.ended = bool(root[2])
        self.end_offset = root.end()
        return root.end()

    def _records(self, data: bytes, start: int) -> int:
        """Note the whole records of ``data`` from ``start``; how far they reach."""
        if self.ended:
            return self._keep_trailing(data, start)
        starts, ends = self.chunk.starts, self.chunk.ends
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
            if end < 0 or end - start > limit:
                reach = end if end >= 0 else len(data)
                if reach - start <= limit:
                    return start
                # Perhaps it lacks its end, and that of the next record was found.
                following = self.next_line.search(data, start, reach)
                end = following.start() + 1 if following else end
            if end < 0:
                self.skipping = self.chunk.offset + start
                self.skipped = data[start : start + min(limit, REJECTED_XML_BYTES)]
                # What ends it may stand across the end of this chunk.
                return max(start + 1, len(data) - _TAG_BYTES)
            if end - start > limit:
                self._reject(start, data[start : start + limit], self._too_long())
            else:
                starts.append(start)
                ends.append(end)
            start = end

    def _end(self, data: bytes, start: int) -> int:
        """Where the record that starts here ends, or -1."""
        if not self.nests:
            end = data.find(self.close, start)
            return end + len(self.close) if end >= 0 else -1
        depth = 0
        for tag in self.tags.finditer(data, start):
            if tag[0].startswith(b"</"):
                depth -= 1
            elif depth and self.next_line.match(data, tag.start() - 1):
                # The record around it lacks its end; it must not take the file with it.
                return tag.start()
            elif not tag[0].endswith(b"/>"):
                depth += 1
            if depth <= 0:
                return tag.end()
        return -1

    def _between(self, data: bytes, start: int) -> tuple[int, bool]:
        """Pass what stands before the next record: where that starts, and whether it does."""
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
                end_at = data.find(close, section.end())
                if end_at < 0 and len(data) - start <= self.limit:
                    return start, False
                if end_at >= 0:
                    if section[0] == b"<![CDATA[":
                        self._reject(start, data[start : end_at + len(close)], _BETWEEN)
                    start = end_at + len(close)
                    continue
            found = [
                pattern.search(data, start + 1) for pattern in (self.opens, self.root_end, _SECTION)
            ]
            stops = [match.start() for match in found if match]
            if not stops:
                # A tag, or the end of the root, may go on after the end of this chunk.
                if len(data) - start > max(self.limit, _TAG_BYTES):
                    self._reject(start, data[start:], _BETWEEN)
                    return len(data), False
                return start, False
            self._reject(start, data[start : min(stops)], _BETWEEN)
            start = min(stops)

    def _skip(self, data: bytes, start: int) -> int:
        """Pass over the rest of an over-long record."""
        end = data.find(self.close, start)
        end = end + len(self.close) if end >= 0 else end
        following = self.next_line.search(data, start, end if end >= 0 else len(data))
        if following:
            end = following.start() + 1
        if end < 0:
            return max(start, len(data) - _TAG_BYTES)
        self._end_skipping()
        return end

    def _end_skipping(self) -> None:
        assert self.skipping is not None
        self.chunk.rejected.append(Rejected(self.skipping, None, self._too_long(), self.skipped))
        self.skipping, self.skipped = None, b""

    def _keep_trailing(self, data: bytes, start: int) -> int:
        """Keep what follows the root element; how far ``data`` is used."""
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

    def _finish(self, rest: bytes) -> None:
        """Take the file's last bytes: a last record without its end, or what follows the root."""
        if self.ended:
            trailing = self.trailing
            while misc := _MISC.match(trailing):
                trailing = trailing[misc.end() :]
            if trailing.strip(_SPACE):
                reason = f"{len(trailing):,} bytes after the end of the root element"
                self.chunk.rejected.append(
                    Rejected(self.end_offset, None, reason, self.trailing[:REJECTED_XML_BYTES])
                )
        elif last := self.last.search(rest):
            self.ended = True
            if self.skipping is not None:
                self._end_skipping()
            elif self.opens.match(rest):
                self.chunk.starts.append(0)
                self.chunk.ends.append(last.start())
            elif rest[: last.start()].strip(_SPACE):
                self._reject(0, rest[: last.start()], _BETWEEN)

    def _reject(self, start: int, xml: bytes, reason: str) -> None:
        where = self.chunk.offset + start
        self.chunk.rejected.append(Rejected(where, None, reason, xml[:REJECTED_XML_BYTES]))

    def _too_long(self) -> str:
        return f"the record is longer than {self.limit:,} bytes"


def _long_enough(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, of which the first piece is long enough to see what the file is."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= _QUOTED_BYTES:
            break
    if start:
        yield start
    yield from pieces


def _first_words(data: bytes) -> str:
    words = data[:_QUOTED_BYTES].decode("utf-8", "replace").split()
    return f"it does not start like a dump but with {' '.join(words)!r}" if words else "it is empty"
