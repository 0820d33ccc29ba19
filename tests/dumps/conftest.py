"""A small dump of 2026-07, a mirror of it, and limits that keep tests quick."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from discogs.dumps.download import DownloadReport, download
from discogs.dumps.listing import DumpFile
from discogs.dumps.names import Layout
from discogs.dumps.source import DumpSource, Limits, make_session
from discogs.dumps.storage import DumpStorage
from discogs.sample.exchange import Fault
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Entity, Month

JULY = Month(2026, 7)
QUICK = Limits(
    connect=2,
    read=0.4,
    attempts=5,
    backoff=0.01,
    max_backoff=0.02,
    max_retry_after=1,
)


def write_dump(folder: Path, day: str, entities: tuple[Entity, ...] = tuple(Entity)) -> None:
    """Write the files of a dump, of about 60 KB each, and its CHECKSUM.txt."""
    lines = []
    for entity in entities:
        name = f"discogs_{day}_{entity}.xml.gz"
        data = gzip.compress(random.Random(name).randbytes(60_000), mtime=0)
        (folder / name).write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()} {name}\n")
    (folder / f"discogs_{day}_CHECKSUM.txt").write_text("".join(lines))


class Served:
    """A mirror of a folder, and a source that fetches from it."""

    def __init__(self, folder: Path, mirror: Mirror, source: DumpSource) -> None:
        self.folder, self.mirror, self.source = folder, mirror, source

    name = "discogs_20260701_labels.xml.gz"

    @property
    def data(self) -> bytes:
        """The labels' file on the server."""
        return (self.folder / self.name).read_bytes()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def file(self) -> DumpFile:
        """The labels' file, as in a listing without sizes."""
        return DumpFile(self.name, f"{self.mirror.url}{self.target}")

    @property
    def target(self) -> str:
        if self.source.layout is Layout.S3:
            return f"/data/2026/{self.name}"
        return f"/?download=data%2F2026%2F{self.name}"

    @property
    def asked(self) -> int:
        """How many requests for the labels' file reached the mirror."""
        return self.mirror.count("labels")


Open = Callable[..., Served]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with make_session("tests/1") as session:
        yield session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    write_dump(folder, "20260701")
    return folder


@pytest.fixture
def place(folder: Path, session: requests.Session) -> Iterator[Open]:
    """Opens a mirror with a layout, faults and limits."""
    with ExitStack() as stack:

        def opened(
            layout: str = "s3", faults: list[Fault] | None = None, limits: Limits = QUICK
        ) -> Served:
            kind = Layout(layout)
            mirror = stack.enter_context(Mirror(folder, kind.value, faults=faults or []))
            return Served(folder, mirror, DumpSource(session, mirror.url, kind, limits))

        yield opened


@pytest.fixture
def storage(tmp_path: Path) -> DumpStorage:
    return DumpStorage(tmp_path / "stored")


def local(storage: DumpStorage) -> Path:
    """A storage's folder."""
    assert storage.local is not None
    return storage.local


def left(storage: DumpStorage) -> list[str]:
    """The names of all files in the storage's folder."""
    folder = local(storage)
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def fetch(place: Served, storage: DumpStorage, **options: object) -> DownloadReport:
    """Download the labels' file."""
    given = {"progress_seconds": 0.05, **options}
    return download(place.source, place.file, storage, place.digest, **given)  # type: ignore[arg-type]


def whole(place: Served, storage: DumpStorage) -> bool:
    """Whether the storage has the correct file, and no other."""
    if left(storage) != [place.name]:
        return False
    with storage.open(place.name) as opened:
        return opened.read() == place.data
