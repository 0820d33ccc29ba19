"""Sample dumps: months of synthetic records in the format of the real files.

The same arguments give the same bytes, and months differ from one another as real ones do
(:mod:`discogs.sample.plan`). A month is written as a stream, in constant memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip

from discogs.sample.artists import ArtistWriter
from discogs.sample.labels import LabelWriter
from discogs.sample.masters import MasterWriter
from discogs.sample.plan import SamplePlan
from discogs.sample.references import References
from discogs.sample.releases import ReleaseWriter
from discogs.sample.shapes import ERAS, Era, Shape
from discogs.sample.writer import Sections, Writer
from discogs.schema.entities import Entity, Month

#: Called with the file's name, the number of records written, and the number in the whole file.
Progress = Callable[[str, int, int], None]
#: Called with a record's writer, position, version and elements, which it may change.
Alter = Callable[[Writer, int, int, Sections], None]

_BATCH = 256
# isal's highest level. It compresses to a fifth; zlib's default level to a sixth, as real dumps.
_LEVEL = 3
# isal has no types.
_gzip: Callable[..., Any] = igzip.IGzipFile

_WRITERS: dict[Entity, type[Writer]] = {
    writer.entity: writer for writer in (LabelWriter, ArtistWriter, MasterWriter, ReleaseWriter)
}


def write_months(
    folder: Path,
    first: Month,
    months: int = 1,
    releases: int = 1000,
    seed: int = 1,
    era: Era = "2026",
    on_progress: Progress | None = None,
    *,
    since: Month | None = None,
    alter: Alter | None = None,
) -> list[Path]:
    """Write the four files and the CHECKSUM.txt of each month into a folder.

    The same arguments, with the same version of isal, give the same bytes.

    :param first: the first month to write.
    :param releases: releases of the sample's first month; artists, labels and masters are in
        proportion.
    :param era: ``2026`` for today's format; ``2020`` for the format before December 2024, in which
        masters are not ordered.
    :param since: the sample's first month, if it is not ``first``, to write a later month alone or
        in the other format.
    :param alter: called for each record before it is written.
    :returns: the files, month by month, each month's CHECKSUM.txt last.
    :raises ValueError: when a number is out of range, or ``since`` is after ``first``.
    """
    if months < 1:
        raise ValueError("months must be at least 1")
    start = since or first
    index = (first.year - start.year) * 12 + first.month - start.month
    if index < 0:
        raise ValueError(f"the sample begins in {start}, after {first}")
    if era not in ERAS:
        raise ValueError(f"era must be one of {', '.join(ERAS)}")
    plan, shape = SamplePlan(releases, seed), Shape(era)
    references = References(plan)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for ahead in range(months):
        digests: dict[str, str] = {}
        stamp = f"{first.plus(ahead).first_day:%Y%m%d}"
        for entity in Entity:
            path = folder / f"discogs_{stamp}_{entity}.xml.gz"
            writer = _WRITERS[entity](references, shape)
            of = plan.of(entity)
            shuffled = shape.older and entity is Entity.MASTERS
            lines = (
                _line(writer, position, version, alter)
                for position, version in of.records(index + ahead, shuffled=shuffled)
            )
            digests[path.name] = _write(path, entity, lines, of.size(index + ahead), on_progress)
            written.append(path)
        path = folder / f"discogs_{stamp}_CHECKSUM.txt"
        part = _part(path)
        part.write_text("".join(f"{digests[name]} {name}\n" for name in sorted(digests)))
        part.replace(path)
        written.append(path)
    return written


def _line(writer: Writer, position: int, version: int, alter: Alter | None) -> str:
    sections = writer.record(position, version)
    if alter is not None:
        alter(writer, position, version, sections)
    return "".join(sections.values())


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


class _Hashed:
    """Writes to a file and hashes what it writes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.flush = file.flush

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._file.write(data)


def _write(
    path: Path, entity: Entity, lines: Iterable[str], total: int, on_progress: Progress | None
) -> str:
    """Write a file; returns its SHA-256 in hexadecimal."""
    done = 0
    # isal computes its codes from the first data written. The root's opening tag alone would double
    # the size of a small file, so it is written with the first records, and its end with the last.
    waiting = f"<{entity}>\n"
    left = iter(lines)
    part = _part(path)
    with part.open("wb") as file:
        hashed = _Hashed(file)
        # Without name and time in the gzip header, so that the bytes are the same in each run.
        with _gzip("", "wb", _LEVEL, hashed, mtime=0) as packed:
            while batch := list(islice(left, _BATCH)):
                done += len(batch)
                waiting += "\n".join([*batch, ""])
                if len(batch) == _BATCH:
                    packed.write(waiting.encode())
                    waiting = ""
                if on_progress is not None:
                    on_progress(path.name, done, total)
            packed.write(f"{waiting}</{entity}>\n".encode())
    part.replace(path)
    return hashed.hash.hexdigest()
