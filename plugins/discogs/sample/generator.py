"""Sample dumps: months of made-up records in the format of the real files.

The same arguments give the same bytes, months follow from each other as the real ones do
(:mod:`discogs.sample.plan`), and what trips up readers of the real dumps occurs in every
sample (:mod:`discogs.sample.traps`). A month is written as a stream: memory does not grow
with the number of releases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from isal import igzip

from discogs.sample.artists import ArtistWriter
from discogs.sample.labels import LabelWriter
from discogs.sample.masters import MasterWriter
from discogs.sample.plan import Churn, EntityPlan, SamplePlan, Shuffle
from discogs.sample.references import References
from discogs.sample.releases import ReleaseWriter
from discogs.sample.shapes import SHAPES, Era, Shape
from discogs.sample.traps import TRAPS, Sprung
from discogs.schema.entities import Entity, Month

#: called with the file's name, the records written and the records of the whole file
Progress = Callable[[str, int, int], None]

_BATCH = 256
# isal's best: 4.9 to 1 here, where zlib's usual level gives 6.0, as it does for real records.
_LEVEL = 3
# isal has no types.
_gzip: Callable[..., Any] = igzip.IGzipFile


class _Writer(Protocol):
    def __init__(self, references: References, shape: Shape, *, traps: Sprung) -> None: ...

    def record(self, position: int, version: int) -> str: ...


_WRITERS: dict[Entity, type[_Writer]] = {
    Entity.LABELS: LabelWriter,
    Entity.ARTISTS: ArtistWriter,
    Entity.MASTERS: MasterWriter,
    Entity.RELEASES: ReleaseWriter,
}


def make_plan(releases: int = 1000, seed: int = 1, churn: Churn | None = None) -> SamplePlan:
    """The plan that :func:`write_months` follows for these arguments.

    ``make_plan(...).month(1).changes(Entity.RELEASES)`` tells by which ids the second month
    differs from the first.
    """
    special = {entity: len(traps) for entity, traps in TRAPS.items()}
    return SamplePlan(releases, seed, special, churn or Churn())


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
    changed: float = 0.02,
    added: float = 0.004,
    removed: float = 0.0005,
    sorted_masters: bool | None = None,
    traps: Sprung = "all",
) -> list[Path]:
    """Write the four files and the CHECKSUM of each month into one folder.

    The same arguments give the same bytes (with the same release of isal).

    :param first: the first month to write.
    :param releases: releases of the sample's first month; artists, labels and masters
        follow in proportion. From 200 on, every trap occurs.
    :param era: ``2026`` for today's format, ``2020`` for the one before December 2024.
    :param since: the sample's first month, when it is not the first to be written: so a
        later month can be written alone, or in the other format.
    :param changed: share of the records that differ from the month before.
    :param added: records that are new, as a share of the first month's.
    :param removed: records that are gone, as a share of the first month's.
    :param sorted_masters: whether ids ascend in the file of masters; unless told, they do
        in today's format and not in the older one, as in the real files.
    :param traps: ``all`` puts what trips up readers of the real dumps into some records;
        ``well-formed`` leaves out characters that XML 1.0 forbids; ``none`` gives plain
        records only, which every loader reads.
    :returns: the files written, month by month, each month's CHECKSUM last.
    :raises ValueError: when a number is out of its range, or ``since`` after ``first``.
    """
    if months < 1:
        raise ValueError("months must be at least 1")
    start = since or first
    index = (first.year - start.year) * 12 + first.month - start.month
    if index < 0:
        raise ValueError(f"the sample begins in {start}, after {first}")
    if era not in SHAPES:
        raise ValueError(f"era must be one of {', '.join(SHAPES)}")
    plan = make_plan(releases, seed, Churn(changed, added, removed))
    if sorted_masters is None:
        sorted_masters = era != "2020"
    references = References(plan)
    shape = SHAPES[era]
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for ahead in range(months):
        digests: dict[str, str] = {}
        stamp = f"{first.plus(ahead).first_day:%Y%m%d}"
        for entity in Entity:
            path = folder / f"discogs_{stamp}_{entity}.xml.gz"
            writer = _WRITERS[entity](references, shape, traps=traps)
            of = plan.of(entity)
            sort = sorted_masters or entity is not Entity.MASTERS
            records = of.records(index + ahead) if sort else _unsorted(of, index + ahead)
            total = of.base + (index + ahead) * of.added
            digests[path.name] = _write(path, entity, writer, records, total, on_progress)
            written.append(path)
        path = folder / f"discogs_{stamp}_CHECKSUM.txt"
        _replace(path, "".join(f"{digests[name]} {name}\n" for name in sorted(digests)).encode())
        written.append(path)
    return written


def _unsorted(of: EntityPlan, month: int) -> Iterator[tuple[int, int]]:
    """A month's records in an order of their own, the same for every month of a size."""
    shuffle = Shuffle.make(of.base + month * of.added, 0.3819661, 0)
    for place in range(shuffle.size):
        position = shuffle.at(place)
        version = of.state(position, month)
        if version is not None:
            yield position, version


class _Hashed:
    """Writes to a file and hashes what it writes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _write(
    path: Path,
    entity: Entity,
    writer: _Writer,
    records: Iterator[tuple[int, int]],
    total: int,
    on_progress: Progress | None,
) -> str:
    """Write one file; its SHA-256 in hex."""
    part = path.with_name(path.name + ".part")
    record = writer.record
    done = 0
    # isal fits its codes to what it is given first: a root element by itself would double
    # a small file, so the root goes with the first records, and its end with the last.
    waiting = f"<{entity}>\n"
    with part.open("wb") as file:
        hashed = _Hashed(file)
        # No name and no time in the gzip header: they would differ from run to run.
        with _gzip("", "wb", _LEVEL, hashed, mtime=0) as packed:
            while batch := [record(*each) for each in islice(records, _BATCH)]:
                done += len(batch)
                batch.append("")
                text = waiting + "\n".join(batch)
                if len(batch) > _BATCH:
                    packed.write(text.encode())
                    text = ""
                waiting = text
                if on_progress is not None:
                    on_progress(path.name, done, total)
            packed.write(f"{waiting}</{entity}>\n".encode())
    part.replace(path)
    return hashed.hash.hexdigest()


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
