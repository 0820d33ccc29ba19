"""Reading a gzip file: decompression, and scanning of its records."""

from __future__ import annotations

import gzip
import io
import threading
from contextlib import closing
from pathlib import Path

import pytest

from discogs.records.errors import CorruptDump, NotADump, TruncatedDump
from discogs.records.reader import decompressed, read
from discogs.schema.entities import Entity
from tests.records.reading import dump

RELEASES = Entity.RELEASES


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def unpack(packed: bytes, size: int = 1 << 23) -> bytes:
    return b"".join(decompressed(io.BytesIO(packed), "dump.xml.gz", size))


class Stream(io.RawIOBase):
    """A stream that is not seekable, as of some object stores."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


BODY = dump(RELEASES, *[f'<release id="{i}"><title>{i * i}</title></release>' for i in range(999)])


@pytest.mark.parametrize("size", [100, 1 << 23])
def test_gzip_is_decompressed(size: int) -> None:
    assert unpack(gz(BODY), size) == BODY
    assert unpack(gz(BODY[:500]) + gz(BODY[500:]), size) == BODY
    assert unpack(gz(BODY) + b"\0" * 512, size) == BODY
    assert b"".join(decompressed(Stream(gz(BODY)), "x", size)) == BODY  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [100, 1 << 23])
@pytest.mark.parametrize("at", [3, 12, 200, -9, -8, -4, -1])
def test_cut_gzip_is_reported_as_cut_short(at: int, size: int) -> None:
    with pytest.raises(TruncatedDump, match=r"dump\.xml\.gz is cut short"):
        unpack(gz(BODY)[:at], size)


@pytest.mark.parametrize("size", [100, 1 << 23])
@pytest.mark.parametrize("at", [-8, -1, 100, 400])
def test_damaged_gzip_is_reported_as_damaged(at: int, size: int) -> None:
    packed = bytearray(gz(BODY))
    packed[at] ^= 0xFF
    with pytest.raises((CorruptDump, TruncatedDump), match=r"dump\.xml\.gz is (damaged|cut short)"):
        unpack(bytes(packed), size)


@pytest.mark.parametrize("size", [100, 1 << 23])
def test_garbage_behind_the_gzip_is_damage(size: int) -> None:
    with pytest.raises(CorruptDump, match="something else than gzip follows"):
        unpack(gz(BODY) + b"garbage, more of it than a header", size)
    # Too short for a gzip header: perhaps the start of one.
    with pytest.raises(TruncatedDump):
        unpack(gz(BODY) + b"garbage", size)


@pytest.mark.parametrize("data", [b"<html>", b"BZh91AY", BODY])
def test_a_file_that_is_not_gzip_is_not_a_dump(data: bytes) -> None:
    with pytest.raises(NotADump, match="it is not a gzip file"):
        unpack(data)
    with pytest.raises(NotADump, match="it is not a gzip file"):
        list(decompressed(Stream(data), "x"))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", gz(b"")], ids=["no bytes", "packed nothing"])
def test_an_empty_file_is_reported_as_empty(data: bytes) -> None:
    with pytest.raises(TruncatedDump, match="it is empty"):
        unpack(data)


def test_the_truncated_excerpt_is_reported_as_cut_short(samples: Path) -> None:
    (path, *_) = sorted((samples / "2026-04" / "truncated").glob("*.xml.gz"))
    entity = Entity(path.name.split("_")[2].split(".")[0])
    with path.open("rb") as packed, pytest.raises(TruncatedDump):
        list(read(packed, path.name, entity, max_record_bytes=1 << 24))


def test_a_reader_that_is_closed_leaves_no_thread() -> None:
    records = [f'<release id="{n}"><title>{"x" * 50_000}</title></release>' for n in range(1, 200)]
    packed = io.BytesIO(gz(dump(RELEASES, *records)))
    with closing(read(packed, "dump.xml.gz", RELEASES, max_record_bytes=1 << 24)) as scanned:
        assert next(scanned).ids.tolist()[:2] == [1, 2]
        assert "prefetch" in {thread.name for thread in threading.enumerate()}
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}
