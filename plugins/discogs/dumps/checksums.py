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
# A file that Discogs may add one day must not stop the four that this package reads.
_UNKNOWN = re.compile(r"discogs_[0-9]{8}_[A-Za-z]{1,40}(\.xml\.gz|\.txt)")


def first_words(data: bytes, limit: int = 80) -> str:
    """The beginning of what a server sent, for a message: printable, tags and all."""
    text = data[: 4 * limit].decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else f"{text[:limit]}…"


def parse(name: str, data: bytes) -> dict[str, str]:
    """The digests, lower-case hexadecimal, by file name.

    Lines are ``<64 hex> <name>``: one space today, two or `` *`` before, in any order.

    :param name: the CHECKSUM.txt's own name, for messages.
    :raises ChecksumFileInvalid: when it holds anything else, such as a page, a path or
        two digests of one file.
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
            log.info("%s names %s, which is not known; it is left out.", name, named)
            continue
        if digests.setdefault(named, digest) != digest:
            raise ChecksumFileInvalid(name, f"it has two digests of {named}")
    if not digests:
        raise ChecksumFileInvalid(name, "it names no file")
    return digests


def combine(parsed: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The digests of several CHECKSUM.txt of one month; each decides on the files of its own day.

    :param parsed: what :func:`parse` returned, by the CHECKSUM.txt's name.
    """
    published: dict[str, str] = {}
    for marker, digests in parsed.items():
        for name, digest in digests.items():
            if name not in published or name[:16] == marker[:16]:
                published[name] = digest
    return published
