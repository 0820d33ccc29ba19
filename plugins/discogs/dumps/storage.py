"""The storage of dump files: a local folder, or an address of universal_pathlib or Airflow's
ObjectStoragePath.

All files are in one folder, under their own names. A file is written as ``.part`` and renamed when
it is complete; in an object store, parts are joined (:mod:`discogs.dumps.objects`).
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from discogs.dumps.errors import DiskFull, DumpFileMissing
from discogs.dumps.names import DumpName
from discogs.dumps.objects import ObjectRoot, ObjectStore, PartObjects, StoredObject
from discogs.dumps.part import PART, STATE, Part, PartFile, sync_folder

_UNFINISHED = re.compile(r"\.part(\.json(\.new)?|\.[0-9]{4,5})?$")


@dataclass(frozen=True)
class DiskUse:
    """Total, used and free bytes of a disk."""

    total: int
    used: int
    free: int


@dataclass(frozen=True)
class Stored:
    """A file in the storage, complete or unfinished.

    :param name: with the suffix of an unfinished file, such as ``.part``.
    :param modified: seconds since the epoch; None if the storage does not state it.
    :param dump: the name of the complete file.
    :param part: whether the file is unfinished.
    """

    name: str
    size: int
    modified: float | None
    dump: DumpName
    part: bool


def _local(root: str | Path | ObjectRoot) -> Path | None:
    if isinstance(root, Path):
        return Path(str(root))
    if isinstance(root, str):
        return Path(root).expanduser() if "://" not in root else None
    if root.protocol in ("", "file", "local"):
        return Path(str(root.path))
    return None


def _root(place: str | Path | ObjectRoot) -> Path | ObjectRoot:
    if not isinstance(place, str) or "://" not in place:
        return Path(place) if isinstance(place, str) else place
    from upath import UPath  # late: imports fsspec, which few need

    return cast("ObjectRoot", UPath(place))


def _split(name: str) -> tuple[DumpName, bool] | None:
    """The dump file that a stored name belongs to, and whether it is unfinished."""
    whole, unfinished = _UNFINISHED.subn("", name)
    dump = DumpName.parse(whole)
    return None if dump is None else (dump, bool(unfinished))


class DumpStorage:
    """A storage of dump files.

    :param root: a folder or an address; it may not exist yet.
    :param margin: bytes that must stay free on the disk of a folder.
    """

    def __init__(self, root: str | Path | ObjectRoot, *, margin: int = 0) -> None:
        found = _root(root)
        self.margin = margin
        self.local = _local(root) or _local(found)
        self._name = str(self.local or found)
        self._store = ObjectStore(cast("ObjectRoot", found)) if self.local is None else None

    def __str__(self) -> str:
        return self._name

    @property
    def _objects(self) -> ObjectStore:
        assert self._store is not None, "a local folder"
        return self._store

    def open(self, name: str) -> BinaryIO:
        """Open a dump file for reading.

        :raises DumpFileMissing: when it does not exist.
        """
        try:
            if self.local is not None:
                return _inside(self.local, name).open("rb")
            return self._objects.open(_checked(name))
        except FileNotFoundError:
            where = f"worker {socket.gethostname()} looks in {self}"
            raise DumpFileMissing(name, where) from None

    def size(self, name: str) -> int | None:
        """The size of a file in bytes; None when it does not exist."""
        if self.local is None:
            return self._objects.size(_checked(name))
        try:
            return _inside(self.local, name).stat().st_size
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        """Whether a complete file exists."""
        return self.size(name) is not None

    def delete(self, name: str) -> int:
        """Delete a file; returns its size, 0 when it does not exist.

        :raises OSError: when it cannot be deleted.
        """
        size = self.size(name)
        if size is not None:
            self._delete(name)
        return size or 0

    def _delete(self, name: str) -> None:
        if self.local is not None:
            (self.local / name).unlink(missing_ok=True)
        else:
            self._objects.delete(name)

    def names(self) -> list[str]:
        """The names of the complete files."""
        return [item.name for item in self.files() if not item.part]

    def files(self) -> list[Stored]:
        """The complete and unfinished dump files, sorted by name."""
        found = _listed(self.local) if self.local is not None else self._objects.list()
        stored = []
        for item in found:
            known = _split(item.name)
            if known is not None:
                stored.append(Stored(item.name, item.size, item.modified, *known))
        return sorted(stored, key=lambda item: item.name)

    def delete_stored(self, item: Stored) -> None:
        """Delete a file that ``files`` returned, if it still exists.

        :raises OSError: when it cannot be deleted.
        """
        self._delete(item.name)
        if item.part and self.local is None:
            self._objects.abort_uploads(str(item.dump))

    def write(self, name: str, data: bytes) -> None:
        """Store a small file, such as a CHECKSUM.txt.

        :raises OSError: when the storage refuses it.
        """
        if self.local is None:
            self._objects.put(_checked(name), data)
            return
        path = _inside(self.local, name)
        self.local.mkdir(parents=True, exist_ok=True)
        part = path.with_name(name + PART)
        part.write_bytes(data)
        part.replace(path)
        sync_folder(self.local)

    def part(self, name: str, url: str, expected: str) -> Part:
        """Open the unfinished file of a download. The file of an earlier process is resumed if it
        has the same address and published digest.

        :param expected: the published SHA-256.
        :raises DownloadUnderWay: when another process writes it; not detected in object stores, and
            on file systems without locks.
        """
        if self.local is not None:
            return PartFile(self.local, _checked(name), url, expected)
        return PartObjects(self._objects, _checked(name), url, expected)

    def disk_use(self) -> DiskUse | None:
        """Use of the storage's disk; None when it is not a local disk."""
        if self.local is None:
            return None
        return DiskUse(*shutil.disk_usage(_existing(self.local)))

    def require_space(self, needed: int) -> None:
        """Check that the disk has the needed bytes and the margin; object stores are not checked.

        :raises DiskFull: when it has not.
        """
        if self.local is None:
            return
        folder = _existing(self.local)
        free = shutil.disk_usage(folder).free
        if free < needed + self.margin:
            raise DiskFull(
                self.local,
                f"{needed:,} bytes are needed, with a reserve of {self.margin:,}; only {free:,}"
                " are free",
            )

    def missing(self, sizes: Iterable[tuple[str, int | None]]) -> int:
        """The bytes of some files that are still to be downloaded.

        :param sizes: names and sizes; a file of unknown size counts as 0 bytes.
        """
        stored: dict[DumpName, int] = {}
        whole = set()
        for item in self.files():
            if not item.part:
                whole.add(str(item.dump))
            elif not item.name.endswith(STATE):
                stored[item.dump] = stored.get(item.dump, 0) + item.size
        needed = 0
        for name, size in sizes:
            dump = DumpName.parse(name)
            if size is not None and dump is not None and name not in whole:
                needed += max(0, size - stored.get(dump, 0))
        return needed

    def require_space_for(self, sizes: Iterable[tuple[str, int | None]]) -> None:
        """Check that the missing bytes of some files fit on the disk, with the margin.

        :param sizes: see :meth:`missing`.
        :raises DiskFull: when they do not.
        """
        self.require_space(self.missing(sizes))


def _checked(name: str) -> str:
    """:raises ValueError: when the name is not that of a dump file."""
    if DumpName.parse(name) is None:
        raise ValueError(f"{name!r} is not the name of a dump file")
    return name


def _inside(folder: Path, name: str) -> Path:
    return folder / _checked(name)


def _existing(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _listed(folder: Path) -> Iterator[StoredObject]:
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.is_file():
            stat = path.stat()
            yield StoredObject(path.name, stat.st_size, stat.st_mtime)
