"""Reading a dump: decompression, splitting into records, and scanning for ids and fingerprints."""

from __future__ import annotations

import io
import zlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, BinaryIO

from isal import igzip, isal_zlib

from discogs.records.errors import CorruptDump, NotADump, TruncatedDump
from discogs.records.prefetch import prefetched
from discogs.records.scanner import IsStored, Scanned, Scanner
from discogs.records.splitter import split
from discogs.schema.entities import Entity

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Bytes decompressed at a time: large, for few handoffs between threads, but small enough for the
#: cache of a core.
READ_BYTES = 2 * 1024 * 1024

_MAGIC = b"\x1f\x8b"


def read(
    packed: BinaryIO,
    name: str,
    entity: Entity,
    *,
    max_record_bytes: int,
    shard: int = 0,
    shards: int = 1,
    is_stored: IsStored | None = None,
    seed: int | None = None,
) -> Generator[Scanned, None, None]:
    """The records of one shard of a dump, in the order of the file, a few hundred at a time.

    Decompression runs ahead in a thread, which ends when the generator is closed.

    :param packed: the ``.gz`` file, at its first byte.
    :param name: the file's name, for messages.
    :param max_record_bytes: a longer record is rejected, and is not buffered as a whole.
    :param is_stored: see Scanner.
    :param seed: see Scanner.
    :raises NotADump: when the file is not a gzip file, or not a dump of the entity.
    :raises TruncatedDump: when the file is cut short.
    :raises CorruptDump: when its bytes are damaged, or records follow its root element.
    """
    scanner = Scanner(entity, shard, shards, is_stored, seed)
    data = prefetched(decompressed(packed, name))
    for chunk in split(data, entity, name, max_record_bytes):
        yield scanner.scan(chunk)


def decompressed(packed: BinaryIO, name: str, read_bytes: int = READ_BYTES) -> Iterator[bytes]:
    """The decompressed bytes of a ``.gz`` stream, ``read_bytes`` at a time.

    :raises NotADump: when the stream is not gzip.
    :raises TruncatedDump: when it ends inside a gzip member.
    :raises CorruptDump: when its bytes do not match their CRC, or are not deflate.
    """
    magic = packed.read(len(_MAGIC))
    if not _MAGIC.startswith(magic):
        raise NotADump(name, "it is not a gzip file")
    whole = _Prefixed(magic, packed)
    with igzip.IGzipFile(fileobj=whole, mode="rb") as stream:  # type: ignore[no-untyped-call]
        first = True
        while True:
            try:
                data = stream.read(read_bytes)
            except EOFError as error:
                raise TruncatedDump(name, "the gzip stream ends before its end marker") from error
            except igzip.BadGzipFile as error:
                raise CorruptDump(name, _reason(error)) from error
            except (isal_zlib.IsalError, zlib.error) as error:  # type: ignore[misc]
                raise CorruptDump(name, _reason(error)) from error
            if not data:
                if first:
                    raise TruncatedDump(name, "it is empty")
                return
            first = False
            yield data


class _Prefixed(io.RawIOBase):
    """A stream of which the first bytes have been read."""

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


def _reason(error: Exception) -> str:
    """The library's message, as part of a sentence."""
    if "Not a gzip" in str(error):
        return "something else than gzip follows its gzip stream"
    return str(error).rstrip(".")
