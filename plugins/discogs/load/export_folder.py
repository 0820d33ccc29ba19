"""Where exports are put: a folder, or an address of an object store, by fsspec.

```
TABLE/dump_month=2026-07/part-0000.parquet
_manifest/2026-07.json                                        written last
_writing/2026-07/releases-1-of-1/TABLE/part-0000.parquet      until the month is whole
_writing/2026-07/releases-1-of-1.json                         when that shard of it is
```
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from discogs.errors import DiscogsError, StorageError
from discogs.schema.entities import Month

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


class ExportFailed(StorageError):
    """The place of an export refuses what is written to it, or does not answer."""

    def __init__(self, place: object, error: Exception) -> None:
        super().__init__(f"The export cannot be written to {place}: {_said(error)}.")
        self.transient = not (
            isinstance(error, (FileNotFoundError, PermissionError))
            or "Credentials" in type(error).__name__
        )


class ExportUnderWay(StorageError):
    """Another process writes the same files."""

    transient = True

    def __init__(self, month: Month, place: object) -> None:
        super().__init__(f"{month} is being exported to {place} by another process: wait for it.")


class ExportFolder:
    """A folder of exported months.

    :param address: a folder, or what fsspec addresses, such as ``s3://bucket/prefix``.
    :param root: the address as a path of universal_pathlib, where it is opened in another way than
        by the environment, such as Airflow's ObjectStoragePath.
    """

    def __init__(self, address: str | Path, root: Any = None) -> None:
        text = str(address)
        self._address = text if "://" in text else str(Path(text).expanduser().absolute())
        self._given = root

    def __str__(self) -> str:
        return self._address

    @cached_property
    def _root(self) -> Any:
        from upath import UPath  # late: imports fsspec, which few need

        try:
            root = UPath(self._address) if self._given is None else self._given
            root.fs  # noqa: B018 - imports what the address needs
        except (ImportError, ValueError) as error:
            raise StorageError(
                f"{self} cannot be opened: {error}. Install what its kind of address needs"
                " (for s3://: pip install 'airflow-discogs[s3]'), or name a folder."
            ) from None
        return root

    @cached_property
    def _fs(self) -> Any:
        return self._root.fs

    @property
    def is_local(self) -> bool:
        return "://" not in self._address

    def path(self, name: str) -> str:
        """A file as the file system, and a reader, address it."""
        return f"{str(self._root.path).rstrip('/')}/{name}"

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """:raises ExportFailed: for what the place raises by itself."""
        try:
            yield
        except DiscogsError:
            raise
        except OSError as error:
            if self.is_local and error.filename is not None:
                raise
            raise ExportFailed(self, error) from error
        except Exception as error:
            # botocore's and aiohttp's are no OSErrors.
            if type(error).__module__.partition(".")[0] in ("botocore", "aiohttp"):
                raise ExportFailed(self, error) from error
            raise

    @contextlib.contextmanager
    def locked(self, month: Month, part: str | None = None) -> Iterator[None]:
        """Keep other processes from the files of a month that is written, where a disk can.

        :param part: of the month's files those that are written; others may write other parts. None
            means all of them.
        :raises ExportUnderWay: when another process has them.
        """
        with contextlib.ExitStack() as locks:
            if self.is_local:
                shared = part is not None
                locks.enter_context(self._lock(writing(month), month, shared=shared))
                if part is not None:
                    locks.enter_context(self._lock(writing(month, part), month))
            try:
                yield
            finally:
                if part is None:
                    self._remove_folder(writing(month))

    @contextlib.contextmanager
    def _lock(self, name: str, month: Month, *, shared: bool = False) -> Iterator[None]:
        folder = Path(self.path(name))
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                raise ExportUnderWay(month, self) from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    os.close(handle)
                    raise
            # Another process may have ended, and removed the folder, since it was opened.
            with contextlib.suppress(FileNotFoundError):
                if folder.stat().st_ino == os.fstat(handle).st_ino:
                    break
            os.close(handle)
        try:
            yield
        finally:
            os.close(handle)

    def create(self, name: str) -> BinaryIO:
        """A new file, to be written and closed."""
        path = self.path(name)
        if self.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        return cast("BinaryIO", self._fs.open(path, "wb"))

    def read(self, name: str) -> bytes | None:
        """A small file; None when it is not there."""
        self._fs.invalidate_cache()  # another process may have written it
        try:
            return cast("bytes", self._fs.cat_file(self.path(name)))
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes) -> None:
        """Write a small file, in place of another; readers see the one or the other."""
        if not self.is_local:
            self._fs.pipe_file(self.path(name), data)
            return
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        with new.open("wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        new.replace(path)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        self._fs.invalidate_cache()
        try:
            return int(self._fs.size(self.path(name)))
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder; none where there is no such folder."""
        return sorted(path.rpartition("/")[2] for path in self._files(folder))

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self.path(name))

    def empty(self, folder: str, keep: Collection[str] = ()) -> None:
        """Delete the files below a folder.

        :param keep: names of files, or of folders, that stay.
        """
        kept = tuple(self.path(name) for name in keep)
        for path in self._files(folder):
            if not path.startswith(kept):
                self._fs.rm_file(path)

    def delete_files(self, folder: str, keep: Collection[str] = ()) -> None:
        """Delete the files below a folder, and the folder where nothing is left in it.

        :param keep: as of :meth:`empty`.
        """
        self.empty(folder, keep)
        self._remove_folder(folder)

    def move(self, name: str, to: str) -> None:
        """Move a file, in place of another."""
        if self.is_local:
            target = Path(self.path(to))
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(self.path(name)).replace(target)
        else:
            self._fs.mv(self.path(name), self.path(to))

    def _files(self, folder: str) -> list[str]:
        """The files below a folder, as the file system addresses them."""
        self._fs.invalidate_cache()
        try:
            return cast("list[str]", self._fs.find(self.path(folder)))
        except FileNotFoundError:
            return []

    def _remove_folder(self, name: str) -> None:
        """Remove a folder, those in it and the one that holds it, where they are empty."""
        if not self.is_local:
            return
        folder = Path(self.path(name))
        below = [Path(path) for path, _, _ in os.walk(folder, topdown=False)]
        for path in (*below, folder.parent):
            with contextlib.suppress(OSError):
                path.rmdir()


def writing(month: Month, name: str = "") -> str:
    """Where a month's files are until it is whole, or one of them."""
    return f"_writing/{month}/{name}".rstrip("/")


def sync(sink: BinaryIO) -> None:
    """Let what was written to a file survive a loss of power, where it is on a disk."""
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
        os.fsync(sink.fileno())


def discard(sink: BinaryIO) -> None:
    """Close a file that is not wanted, without completing it where the store lets one."""
    with contextlib.suppress(Exception):
        drop = getattr(sink, "discard", None)
        if callable(drop):
            drop()
        else:
            sink.close()


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
