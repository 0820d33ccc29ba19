"""Where dumps are stored: a local folder, or whatever universal_pathlib and Airflow's
ObjectStoragePath can address.

Files are stored side by side under their own names. A download is written in the *workspace*: the
folder itself when it is local, so that finishing is a rename; else a scratch folder, from
which whole files are uploaded, since object stores neither append nor rename.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from discogs.dumps.errors import DiskFull, DumpFileMissing
from discogs.dumps.names import DumpName

log = logging.getLogger(__name__)

_COPY = 8 << 20
PART = ".part"
STATE = ".part.json"


class StoragePath(Protocol):
    """What is used of a path; pathlib's, universal_pathlib's and Airflow's all have it."""

    @property
    def name(self) -> str: ...
    def __truediv__(self, name: str, /) -> Any: ...
    @property
    def open(self) -> Callable[..., Any]: ...
    def exists(self) -> bool: ...
    def is_file(self) -> bool: ...
    def stat(self) -> Any: ...
    def iterdir(self) -> Iterator[Any]: ...
    def unlink(self) -> None: ...


@dataclass(frozen=True)
class DiskUse:
    """Bytes of the disk that a folder is on."""

    total: int
    used: int
    free: int


@dataclass(frozen=True)
class Stored:
    """A file in the storage or its workspace, unfinished ones included.

    :param name: as on disk, with ``.part`` and the like.
    :param modified: seconds since the epoch; None where the storage does not say.
    """

    name: str
    size: int
    modified: float | None
    dump: DumpName
    part: bool


def _local(root: StoragePath) -> Path | None:
    if isinstance(root, Path):
        return Path(str(root))
    if getattr(root, "protocol", None) in ("", "file", "local"):
        return Path(str(getattr(root, "path", root)))
    return None


def _root(place: str | StoragePath) -> StoragePath:
    if not isinstance(place, str):
        return place
    if "://" not in place:
        return Path(place).expanduser()
    from upath import UPath  # late: imports fsspec, which few need

    return cast("StoragePath", UPath(place))


def _split(name: str) -> tuple[DumpName, bool] | None:
    """The dump's file that a name on disk belongs to, and whether it is unfinished."""
    for suffix in (STATE + ".new", STATE, PART):
        if name.endswith(suffix):
            dump = DumpName.parse(name.removesuffix(suffix))
            return None if dump is None else (dump, True)
    dump = DumpName.parse(name)
    return None if dump is None else (dump, False)


class DumpStorage:
    """The place where dumps are stored.

    :param root: a folder or an address; it need not exist yet.
    :param margin: bytes of the disk that stay free.
    :param scratch: where downloads are written when the root is not local; by default a
        folder in the system's place for temporary files.
    """

    def __init__(
        self, root: str | StoragePath, *, margin: int = 0, scratch: Path | None = None
    ) -> None:
        self.root = _root(root)
        self.margin = margin
        self.local = _local(self.root)
        if self.local is not None:
            self.root = self.local
        self.workspace: Path = (
            self.local or scratch or Path(tempfile.gettempdir()) / f"discogs-dumps-{os.getuid()}"
        )

    def __str__(self) -> str:
        return str(self.root)

    def path(self, name: str) -> StoragePath:
        """Where a file of a dump is stored, or will be.

        :raises ValueError: when the name is not one of a dump's file.
        """
        if DumpName.parse(name) is None:
            raise ValueError(f"{name!r} is not the name of a dump's file")
        return cast("StoragePath", self.root / name)

    def open(self, name: str) -> BinaryIO:
        """A file of a dump, for reading.

        :raises DumpFileMissing: when it is not there.
        """
        try:
            return cast("BinaryIO", self.path(name).open("rb"))
        except FileNotFoundError:
            raise DumpFileMissing(name, f"{self} lacks it") from None

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        try:
            return int(self.path(name).stat().st_size)
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        """Whether a file is there, whole."""
        return self.size(name) is not None

    def delete(self, name: str) -> int:
        """Delete a file and return its bytes, 0 when it is not there.

        :raises OSError: when it cannot be deleted.
        """
        size = self.size(name)
        if size is not None:
            self.path(name).unlink()
        return size or 0

    def names(self) -> list[str]:
        """The names of the whole files that are there."""
        return [item.name for item in self.files() if not item.part]

    def files(self) -> list[Stored]:
        """The files of dumps that are there, unfinished ones included, by name."""
        places: list[StoragePath] = [self.root]
        if self.local is None:
            places.append(self.workspace)
        found = [item for place in places for item in _stored(place)]
        return sorted(found, key=lambda item: item.name)

    def delete_stored(self, item: Stored) -> None:
        """Delete what ``files`` listed; what is gone already is no error.

        :raises OSError: when it cannot be deleted.
        """
        place = self.workspace / item.name if item.part else self.path(item.name)
        try:
            place.unlink()
        except FileNotFoundError:
            log.debug("%s was gone already.", place)

    def write(self, name: str, data: bytes) -> None:
        """Store a small file of a dump, such as its CHECKSUM.txt.

        :raises OSError: when the storage refuses it.
        """
        self.workspace.mkdir(parents=True, exist_ok=True)
        (self.workspace / (name + PART)).write_bytes(data)
        self.publish(name)

    def publish(self, name: str) -> None:
        """Make a whole file of the workspace's ``.part`` the dump's file.

        :raises OSError: when the storage refuses it.
        """
        part = self.workspace / (name + PART)
        if self.local is not None:
            part.replace(self.local / name)
            _sync(self.local)
            return
        target = self.path(name)
        try:
            with part.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, _COPY)
        except BaseException:
            # Closing may have stored what had come so far.
            if target.exists():
                target.unlink()
            raise
        part.unlink()

    def disk_use(self) -> DiskUse | None:
        """Use of the storage's disk; None when it is not local."""
        if self.local is None:
            return None
        return DiskUse(*shutil.disk_usage(_existing(self.local)))

    def require_space(self, needed: int) -> None:
        """Check that the workspace's disk has so many bytes and the margin.

        :raises DiskFull: saying how many it has.
        """
        folder = _existing(self.workspace)
        free = shutil.disk_usage(folder).free
        if free < needed + self.margin:
            raise DiskFull(
                self.workspace,
                f"{needed:,} bytes are needed, with a reserve of {self.margin:,}; only {free:,}"
                " are free",
            )

    def missing(self, sizes: Iterable[tuple[str, int | None]]) -> int:
        """Bytes of some files that are still to come.

        :param sizes: names and bytes; a file of unknown size counts as nothing.
        """
        needed = 0
        for name, size in sizes:
            if size is None or self.exists(name):
                continue
            part = self.workspace / (name + PART)
            needed += max(0, size - (part.stat().st_size if part.exists() else 0))
        return needed

    def require_space_for(self, sizes: Iterable[tuple[str, int | None]]) -> None:
        """Check that what is still missing of some files fits, with the margin.

        :param sizes: as for :meth:`missing`.
        :raises DiskFull: saying how much is free.
        """
        self.require_space(self.missing(sizes))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _sync(folder: Path) -> None:
    """Let a rename survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stored(place: StoragePath) -> Iterator[Stored]:
    if not place.exists():
        return
    for path in place.iterdir():
        known = _split(path.name)
        if known is None or not path.is_file():
            continue
        stat = path.stat()
        modified = getattr(stat, "st_mtime", None)
        yield Stored(path.name, int(stat.st_size), modified or None, *known)
