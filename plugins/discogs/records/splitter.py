"""Cutting a dump's byte stream into whole records, without parsing them.

A record starts where the one before ended, and ends at its closing tag. Only where an
element of the same name nests (``label`` in ``sublabels``) must depth be counted. What is
no record is never skipped in silence: the cutter yields it as rejected, or raises.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from isal import igzip, isal_zlib

from discogs.errors import CorruptDump, NotADump, TruncatedDump
from discogs.records.block import REJECTED_XML_BYTES, Rejected
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Unpacked bytes read at a time: few hand-overs between threads, and still in a core's cache.
CHUNK_BYTES = 2 * 1024 * 1024

_SPACE = b" \t\r\n"
_MAGIC = b"\x1f\x8b"
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
#: Tags, and the end of the root with the space behind it, are shorter than this.
_TAG_BYTES = 64
#: So much of what is no dump is quoted.
_FIRST_WORDS = 80
_BETWEEN = "bytes between records"


@dataclass
class Chunk:
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
    magic = packed.read(len(_MAGIC))
    if not _MAGIC.startswith(magic):
        raise NotADump(name, "it is not a gzip file")
    whole = _Begun(magic, packed)
    with igzip.IGzipFile(fileobj=whole, mode="rb") as stream:  # type: ignore[no-untyped-call]
        first = True
        while True:
            try:
                chunk = stream.read(chunk_bytes)
            except EOFError as error:
                raise TruncatedDump(name, "the gzip stream ends before its end marker") from error
            except igzip.BadGzipFile as error:
                raise CorruptDump(name, _told(error)) from error
            except (isal_zlib.IsalError, zlib.error) as error:  # type: ignore[misc]
                raise CorruptDump(name, _told(error)) from error
            if not chunk:
                if first:
                    raise TruncatedDump(name, "it is empty")
                return
            first = False
            yield chunk


class _Begun(io.RawIOBase):
    """A stream of which the first bytes were read already."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self.start = start
        self.rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        part, self.start = self.start, b""
        if not part:
            part = self.rest.read(len(view))
        view[: len(part)] = part
        return len(part)


def split(
    chunks: Iterator[bytes], entity: Entity, name: str, max_record_bytes: int
) -> Iterator[Chunk]:
    """Chunk a dump's unpacked chunks into records.

    :param max_record_bytes: a longer record is rejected and never held whole.
    :raises NotADump: when the root element is not the entity's, or a document type is declared.
    :raises TruncatedDump: when the root element is never closed.
    :raises CorruptDump: when records, or very many bytes, follow behind the root element.
    """
    yield from _Splitter(entity, name, max_record_bytes).run(chunks)


class _Splitter:
    def __init__(self, entity: Entity, name: str, max_record_bytes: int) -> None:
        self.entity = entity
        self.name = name
        self.limit = max_record_bytes
        tag = entity.record.encode()
        self.open = b"<" + tag
        self.close = b"</" + tag + b">"
        #: How a record follows another in the files as Discogs writes them.
        self.usual = b"\n<" + tag + (b" " if MAPPINGS[entity].id_path == "@id" else b">")
        root = str(entity).encode()
        self.root_end = re.compile(rb"\s*</" + root + rb"\s*>")
        self.last = re.compile(rb"</" + root + rb"\s*>\s*\Z")
        self.starts_anew = re.compile(rb"<(?:" + tag + rb"|" + root + rb")(?=[\s/>])")
        self.opens = re.compile(rb"<" + tag + rb"(?=[\s/>])")
        # Quoted values may hold ">", so an opening tag is read with its quotes.
        self.tags = re.compile(
            rb"<" + tag + rb"(?=[\s/>])(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>|</" + tag + rb"\s*>"
        )
        self.nests = MAPPINGS[entity].record_nests
        # A record's own children tell it from a label in sublabels, which holds but a text.
        self.next_line = re.compile(
            rb"\n<" + tag + (rb">\s*<[^/]" if self.nests else rb"(?=[\s/>])")
        )
        self.ended = False
        #: Where the root element ended, and what follows it.
        self.end_offset = 0
        self.behind = b""
        self.cut = Chunk(b"", 0)
        #: Where an over-long record began, while its end is still to come.
        self.skipping: int | None = None
        self.skipped = b""

    def run(self, chunks: Iterator[bytes]) -> Iterator[Chunk]:
        rest, offset, found = b"", 0, False
        for chunk in _begun(chunks):
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
            self.cut = Chunk(data, offset)
            used = self._records(data, start)
            yield self.cut
            rest, offset = data[used:], offset + used
        if not found:
            raise NotADump(self.name, _first_words(rest))
        self.cut = Chunk(rest, offset)
        self._finish(rest)
        yield self.cut
        if not self.ended:
            where = offset + len(rest)
            raise TruncatedDump(
                self.name, f"its root element <{self.entity}> is not closed at byte {where:,}"
            )

    def _header(self, data: bytes) -> int:
        """Where the records begin, or -1 when more bytes are needed to tell."""
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
        starts, ends = self.cut.starts, self.cut.ends
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
                self.skipping = self.cut.offset + start
                self.skipped = data[start : start + min(limit, REJECTED_XML_BYTES)]
                # What ends it may lie across the end of this chunk.
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
        """Pass what lies before the next record: where that starts, and whether it does."""
        while True:
            if self.ended:
                return self._follow(data, start), False
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
                self.end_offset = self.cut.offset + end.end()
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
                # A tag, or the end of the root, may be cut by the end of this chunk.
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
        self.cut.rejected.append(Rejected(self.skipping, None, self._too_long(), self.skipped))
        self.skipping, self.skipped = None, b""

    def _follow(self, data: bytes, start: int) -> int:
        """Keep what follows the root element; how far ``data`` is used."""
        self.behind += data[start:]
        anew = self.starts_anew.search(self.behind)
        if anew or len(self.behind) > self.limit:
            what = "records" if anew else f"more than {self.limit:,} bytes"
            raise CorruptDump(
                self.name,
                f"its root element <{self.entity}> ends at byte {self.end_offset:,}, and {what}"
                " follow",
            )
        return len(data)

    def _finish(self, rest: bytes) -> None:
        """Take the file's last bytes: a last record without its end, or what follows the root."""
        if self.ended:
            behind = self.behind
            while misc := _MISC.match(behind):
                behind = behind[misc.end() :]
            if behind.strip(_SPACE):
                reason = f"{len(behind):,} bytes behind the end of the root element"
                self.cut.rejected.append(
                    Rejected(self.end_offset, None, reason, self.behind[:REJECTED_XML_BYTES])
                )
        elif last := self.last.search(rest):
            self.ended = True
            if self.skipping is not None:
                self._end_skipping()
            elif self.opens.match(rest):
                self.cut.starts.append(0)
                self.cut.ends.append(last.start())
            elif rest[: last.start()].strip(_SPACE):
                self._reject(0, rest[: last.start()], _BETWEEN)

    def _reject(self, start: int, xml: bytes, reason: str) -> None:
        where = self.cut.offset + start
        self.cut.rejected.append(Rejected(where, None, reason, xml[:REJECTED_XML_BYTES]))

    def _too_long(self) -> str:
        return f"the record is longer than {self.limit:,} bytes"


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, of which the first piece is long enough to tell what they are."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= _FIRST_WORDS:
            break
    if start:
        yield start
    yield from chunks


def _told(error: Exception) -> str:
    """The library's words for damage, to stand inside a sentence."""
    if "Not a gzip" in str(error):
        return "something else than gzip follows its gzip stream"
    return str(error).rstrip(".")


def _first_words(data: bytes) -> str:
    words = data[:_FIRST_WORDS].decode("utf-8", "replace").split()
    return f"it does not start like a dump but with {' '.join(words)!r}" if words else "it is empty"
