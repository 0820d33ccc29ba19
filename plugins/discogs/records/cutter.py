"""Cutting a dump's byte stream into whole records, without parsing them.

A record starts where the one before ended, and ends at its closing tag. Only where an
element of the same name nests (``label`` in ``sublabels``) must depth be counted. What is
no record is never skipped in silence: the cutter yields it as rejected, or raises.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from isal import igzip, isal_zlib

from discogs.catalogue import Entity
from discogs.errors import CorruptDump, NotADump, TruncatedDump
from discogs.records.block import REJECTED_XML_BYTES, Rejected

#: Unpacked bytes read at a time; large, so that the threads seldom wait for each other.
CHUNK_BYTES = 8 * 1024 * 1024

_SPACE = b" \t\r\n"
_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]*?\?>""")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_COMMENT = re.compile(rb"\s*<!--.*?-->", re.DOTALL)
_ROOT = re.compile(rb"\s*<([A-Za-z_][\w.-]*)(?:\s[^<>]*?)?(/?)>")
#: A header (declaration, comments, root) longer than this is not one.
_HEADER_BYTES = 64 * 1024


@dataclass
class Cut:
    """The records of one chunk: ``data[starts[i]:ends[i]]`` is the i-th one."""

    data: bytes
    #: Where ``data`` starts in the unpacked file.
    offset: int
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def unpacked(packed: BinaryIO, name: str, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The unpacked bytes of a ``.gz`` stream, in chunks.

    :raises NotADump: when the stream is no gzip.
    :raises TruncatedDump: when it ends inside a gzip member.
    :raises CorruptDump: when its bytes contradict their own checksum or are no deflate.
    """
    with igzip.IGzipFile(fileobj=packed, mode="rb") as stream:  # type: ignore[no-untyped-call]
        first = True
        while True:
            try:
                chunk = stream.read(chunk_bytes)
            except EOFError as error:
                raise TruncatedDump(name, "the gzip stream ends before its end marker") from error
            except igzip.BadGzipFile as error:
                if first:
                    raise NotADump(name, "it is not a gzip file") from error
                raise CorruptDump(name, str(error)) from error
            except (isal_zlib.IsalError, zlib.error) as error:  # type: ignore[misc]
                raise CorruptDump(name, str(error)) from error
            if not chunk:
                if first:
                    raise TruncatedDump(name, "it is empty")
                return
            first = False
            yield chunk


def cut(chunks: Iterator[bytes], entity: Entity, name: str, max_record_bytes: int) -> Iterator[Cut]:
    """Cut a dump's unpacked chunks into records.

    :param max_record_bytes: a longer record is rejected and never held whole.
    :raises NotADump: when the root element is not the entity's, or a document type is declared.
    :raises TruncatedDump: when the root element is never closed.
    """
    yield from _Cutter(entity, name, max_record_bytes).run(chunks)


class _Cutter:
    def __init__(self, entity: Entity, name: str, max_record_bytes: int) -> None:
        self.entity = entity
        self.name = name
        self.limit = max_record_bytes
        tag = entity.record.encode()
        self.open = b"<" + tag
        self.close = b"</" + tag + b">"
        self.root_end = re.compile(rb"\s*</" + str(entity).encode() + rb"\s*>")
        self.opens = re.compile(rb"<" + tag + rb"(?=[\s/>])")
        # Quoted values may hold ">", so an opening tag is read with its quotes.
        self.tags = re.compile(
            rb"<" + tag + rb"(?=[\s/>])(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>|</" + tag + rb"\s*>"
        )
        self.nests = entity is Entity.LABELS
        self.ended = False
        self.cut = Cut(b"", 0)
        #: Where an over-long record began, while its end is still to come.
        self.skipping: int | None = None
        self.skipped = b""

    def run(self, chunks: Iterator[bytes]) -> Iterator[Cut]:
        rest, offset, found = b"", 0, False
        for chunk in chunks:
            data = rest + chunk if rest else chunk
            start = 0
            if not found:
                start = self._header(data)
                if start < 0:
                    if len(data) > _HEADER_BYTES:
                        raise NotADump(self.name, _first_words(data))
                    rest = data
                    continue
                found = True
            self.cut = Cut(data, offset)
            used = self._records(data, start)
            yield self.cut
            rest, offset = data[used:], offset + used
        if not found:
            raise NotADump(self.name, _first_words(rest))
        if not self.ended:
            where = offset + len(rest)
            raise TruncatedDump(
                self.name, f"its root element <{self.entity}> is not closed at byte {where:,}"
            )

    def _header(self, data: bytes) -> int:
        """Where the records begin, or -1 when more bytes are needed to tell."""
        at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        declaration = _DECLARATION.match(data, at)
        if declaration:
            encoding = _ENCODING.search(declaration[0])
            if encoding and encoding[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
                raise NotADump(self.name, f"it is encoded in {encoding[1].decode()}, not UTF-8")
            at = declaration.end()
        while comment := _COMMENT.match(data, at):
            at = comment.end()
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
        return root.end()

    def _records(self, data: bytes, start: int) -> int:
        """Note the whole records of ``data`` from ``start``; how far they reach."""
        starts, ends = self.cut.starts, self.cut.ends
        size, opens, width = len(data), self.open, len(self.open)
        while True:
            if self.skipping is not None:
                start = self._skip(data, start)
                if self.skipping is not None:
                    return start
            # The usual case first: a newline, then the next record.
            if data[start : start + 1] == b"\n":
                start += 1
            if data[start : start + width] != opens or data[
                start + width : start + width + 1
            ] not in (b" ", b">", b"\t", b"\n", b"\r", b"/"):
                start, more = self._between(data, start)
                if not more:
                    return start
            end = self._end(data, start)
            if end < 0:
                if size - start > self.limit:
                    self.skipping = self.cut.offset + start
                    self.skipped = data[start : start + REJECTED_XML_BYTES]
                    # A closing tag may lie across the end of this chunk.
                    return max(start + 1, size - len(self.close))
                return start
            if end - start > self.limit:
                self._reject(start, data[start:end], self._too_long())
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
            elif not tag[0].endswith(b"/>"):
                depth += 1
            if depth <= 0:
                return tag.end()
        return -1

    def _between(self, data: bytes, start: int) -> tuple[int, bool]:
        """Pass what lies before the next record: where that starts, and whether it does."""
        while True:
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
            if self.ended:
                self._reject(start, data[start:], "bytes behind the end of the root element")
                return len(data), False
            if self.opens.match(data, start):
                return start, True
            if end := self.root_end.match(data, start):
                self.ended = True
                start = end.end()
                continue
            if comment := _COMMENT.match(data, start):
                start = comment.end()
                continue
            following = self.opens.search(data, start)
            closing = self.root_end.search(data, start)
            stops = [match.start() for match in (following, closing) if match]
            if not stops:
                # A tag, or the end of the root, may be cut by the end of this chunk.
                if len(data) - start <= max(len(self.open) + 1, 64):
                    return start, False
                if len(data) - start > self.limit:
                    self._reject(start, data[start:], "bytes between records")
                    return len(data), False
                return start, False
            self._reject(start, data[start : min(stops)], "bytes between records")
            start = min(stops)

    def _skip(self, data: bytes, start: int) -> int:
        """Pass over the rest of an over-long record."""
        end = data.find(self.close, start)
        if end < 0:
            return max(start, len(data) - len(self.close))
        assert self.skipping is not None
        self.cut.rejected.append(Rejected(self.skipping, None, self._too_long(), self.skipped))
        self.skipping, self.skipped = None, b""
        return end + len(self.close)

    def _reject(self, start: int, xml: bytes, reason: str) -> None:
        where = self.cut.offset + start
        self.cut.rejected.append(Rejected(where, None, reason, xml[:REJECTED_XML_BYTES]))

    def _too_long(self) -> str:
        return f"the record is longer than {self.limit:,} bytes"


def _first_words(data: bytes) -> str:
    words = data[:80].decode("utf-8", "replace").split()
    return f"it does not start like a dump but with {' '.join(words)!r}" if words else "it is empty"
