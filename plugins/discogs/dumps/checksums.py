"""Reading a dump's CHECKSUM.txt."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from discogs.dumps.errors import ChecksumFileInvalid
from discogs.dumps.names import DumpName

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S{1,200})")
# Files of other kinds, which Discogs may add, are ignored.
_UNKNOWN = re.compile(r"discogs_[0-9]{8}_[A-Za-z]{1,40}(\.xml\.gz|\.txt)")


def first_words(data: bytes, limit: int = 80) -> str:
    """The beginning of a document for a message, with unprintable characters removed."""
    text = data[: 4 * limit].decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else f"{text[:limit]}…"


def parse(name: str, data: bytes) -> dict[str, str]:
    """Parse a CHECKSUM.txt: the digests, in lower-case hexadecimal, by file name.

    Each line is ``<64 hex> <name>``. Older files have two spaces, or a space and ``*``, before the
    name.

    :param name: the name of the CHECKSUM.txt, for messages.
    :raises ChecksumFileInvalid: when it has anything else, such as a web page, a path or two
        digests of one file.
    """
    if len(data) > MAX_BYTES:
        raise ChecksumFileInvalid(name, f"it is longer than {MAX_BYTES} bytes")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise ChecksumFileInvalid(name, f"it starts with {first_words(data)!r}") from None
    digests: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip(" \t\r")
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ChecksumFileInvalid(name, f"line {number} is {first_words(line.encode())!r}")
        digest, named = match[1].lower(), match[2]
        if DumpName.parse(named) is None:
            if _UNKNOWN.fullmatch(named) is None:
                raise ChecksumFileInvalid(
                    name, f"line {number} names {first_words(named.encode())!r}"
                )
            log.info("%s lists %s, which is not a known dump file; it is ignored.", name, named)
            continue
        if digests.setdefault(named, digest) != digest:
            raise ChecksumFileInvalid(name, f"it has two digests of {named}")
    if not digests:
        raise ChecksumFileInvalid(name, "it names no file")
    return digests


def combine(parsed: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The digests of several CHECKSUM.txt of a month; for a file, that of its own day decides.

    :param parsed: what :func:`parse` returned, by the name of the CHECKSUM.txt.
    """
    published: dict[str, str] = {}
    for marker, digests in parsed.items():
        for name, digest in digests.items():
            if name not in published or name[:16] == marker[:16]:
                published[name] = digest
    return published
