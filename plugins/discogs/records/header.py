"""The header of a dump: declaration, comments and the opening tag of the root element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from discogs.records.errors import NotADump
from discogs.schema.entities import Entity

#: Comments and processing instructions, which XML allows between records.
MISC = re.compile(rb"\s*(?:<!--.*?-->|<\?.*?\?>)", re.DOTALL)
_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]*?\?>""")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ROOT = re.compile(rb"\s*(<([A-Za-z_][\w.-]*)(?:\s[^<>]*?)?(/?)>)")
#: The longest header.
_HEADER_BYTES = 64 * 1024
#: How many bytes of a file that is not a dump are quoted in the error.
_QUOTED_BYTES = 80


@dataclass(frozen=True)
class Header:
    """The header of a dump.

    :param end: the offset at which the records begin.
    :param rootless: whether there is no root element, as in dumps before 2015.
    :param empty: whether the root element is an empty-element tag, ``<releases/>``.
    """

    end: int
    rootless: bool = False
    empty: bool = False


def read_header(data: bytes, entity: Entity, name: str) -> Header | None:
    """Read the header of a dump from its first bytes; None when more bytes are needed.

    :param name: the file's name, for messages.
    :raises NotADump: when the file is not a dump of the entity, or declares a document type.
    """
    if data[:2] in (b"\xfe\xff", b"\xff\xfe") or b"\0" in data[:4]:
        raise NotADump(name, "it is encoded in UTF-16 or UTF-32, not UTF-8")
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    declaration = _DECLARATION.match(data, at)
    if declaration:
        encoding = _ENCODING.search(declaration[0])
        if encoding and encoding[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
            raise NotADump(name, f"it is encoded in {encoding[1].decode()}, not UTF-8")
        at = declaration.end()
    while misc := MISC.match(data, at):
        at = misc.end()
    rest = data[at : at + 64].lstrip()
    if rest.upper().startswith(b"<!DOCTYPE"):
        raise NotADump(name, "it declares a document type, which no dump does")
    root = _ROOT.match(data, at)
    if root is None:
        if (rest and not rest.startswith(b"<")) or len(data) > _HEADER_BYTES:
            raise not_a_dump(name, data)
        return None
    if root[2] == entity.record.encode():
        return Header(root.start(1), rootless=True)
    if root[2] != str(entity).encode():
        raise NotADump(name, f"its root element is <{root[2].decode()}>, not <{entity}>")
    return Header(root.end(), empty=bool(root[3]))


def long_enough(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, with a first piece that is long enough to identify the file."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= _QUOTED_BYTES:
            break
    if start:
        yield start
    yield from pieces


def not_a_dump(name: str, data: bytes) -> NotADump:
    """The error for a file that does not start like a dump."""
    words = data[:_QUOTED_BYTES].decode("utf-8", "replace").split()
    quoted = f"it does not start like a dump but with {' '.join(words)!r}"
    return NotADump(name, quoted if words else "it is empty")
