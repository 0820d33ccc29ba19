"""The folder of an export: on a disk, or in an object store through fsspec.

```
TABLE/dump_month=2026-07/part-0000.parquet                    a published file
_manifest/2026-07.json                                        written last, when all are published
_writing/2026-07/releases-1-of-1/TABLE/part-0000.parquet      a file that is not published yet
_writing/2026-07/releases-1-of-1.json                         written when that shard is complete
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
    """The export's file system or object store refused a write, or did not answer."""

    def __init__(self, folder: object, error: Exception) -> None:
        super().__init__(f"The export cannot be written to {folder}: {_one_line(error)}.")
        self.transient = not (
            isinstance(error, (FileNotFoundError, PermissionError))
            or "Credentials" in type(error).__name__
        )


class ExportUnderWay(StorageError):
    """Another process writes the same files."""

    transient = True

    def __init__(self, month: Month, folder: object) -> None:
        super().__init__(f"{month} is being exported to {folder} by another process: wait for it.")


class ExportFolder:
    """A folder of exported months.

    :param address: a local path, or a URL of fsspec such as ``s3://bucket/prefix``.
    :param root: the address as a universal_pathlib path with its own credentials, such as Airflow's
        ObjectStoragePath; None opens the address with the credentials of the environment.
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
        """The full path of a file, as the file system and Parquet readers accept it."""
        return f"{str(self._root.path).rstrip('/')}/{name}"

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of the file system or object store into the package's own.

        :raises ExportFailed: in their place.
        """
        try:
            yield
        except DiscogsError:
            raise
        except OSError as error:
            if self.is_local and error.filename is not None:
                raise
            raise ExportFailed(self, error) from error
        except Exception as error:
            # The errors of botocore and aiohttp are not OSErrors.
            if type(error).__module__.partition(".")[0] in ("botocore", "aiohttp"):
                raise ExportFailed(self, error) from error
            raise

    @contextlib.contextmanager
    def locked(self, month: Month, part: str | None = None) -> Iterator[None]:
        """Lock the files that are written for a month against other processes; no lock is taken in
        an object store, or on a file system without locks.

        :param part: the part to lock, so that other processes can write other parts; None locks
            the whole month.
        :raises ExportUnderWay: when another process holds the lock.
        """
        with contextlib.ExitStack() as locks:
            if self.is_local:
                shared = part is not None
                locks.enter_context(self._lock(writing_path(month), month, shared=shared))
                if part is not None:
                    locks.enter_context(self._lock(writing_path(month, part), month))
            try:
                yield
            finally:
                if part is None:
                    self._remove_folder(writing_path(month))

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
            # Another process may have removed the folder after it was opened here.
            with contextlib.suppress(FileNotFoundError):
                if folder.stat().st_ino == os.fstat(handle).st_ino:
                    break
            os.close(handle)
        try:
            yield
        finally:
            os.close(handle)

    def create(self, name: str) -> BinaryIO:
        """Open a new file for writing; the caller closes it."""
        path = self.path(name)
        if self.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        return cast("BinaryIO", self._fs.open(path, "wb"))

    def read(self, name: str) -> bytes | None:
        """The content of a small file; None when there is no such file."""
        self._fs.invalidate_cache()  # another process may have written it
        try:
            return cast("bytes", self._fs.cat_file(self.path(name)))
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes) -> None:
        """Write a small file atomically: readers see the old content or the new."""
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
        """The size of a file in bytes; None when there is no such file."""
        self._fs.invalidate_cache()
        try:
            return int(self._fs.size(self.path(name)))
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder; empty when there is no such folder."""
        return sorted(path.rpartition("/")[2] for path in self._files(folder))

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self.path(name))

    def empty(self, folder: str, keep: Collection[str] = ()) -> None:
        """Delete the files below a folder.

        :param keep: paths of files and folders that stay.
        """
        kept = tuple(self.path(name) for name in keep)
        for path in self._files(folder):
            if not path.startswith(kept):
                self._fs.rm_file(path)

    def delete_files(self, folder: str, keep: Collection[str] = ()) -> None:
        """Delete the files below a folder, and the folders that are empty then.

        :param keep: paths of files and folders that stay.
        """
        self.empty(folder, keep)
        self._remove_folder(folder)

    def move(self, name: str, to: str) -> None:
        """Move a file; replaces the target if it exists."""
        if self.is_local:
            target = Path(self.path(to))
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(self.path(name)).replace(target)
        else:
            self._fs.mv(self.path(name), self.path(to))

    def _files(self, folder: str) -> list[str]:
        """The full paths of the files below a folder."""
        self._fs.invalidate_cache()
        try:
            return cast("list[str]", self._fs.find(self.path(folder)))
        except FileNotFoundError:
            return []

    def _remove_folder(self, name: str) -> None:
        """Remove a folder, its subfolders and its parent, each only if it is empty."""
        if not self.is_local:
            return
        folder = Path(self.path(name))
        below = [Path(path) for path, _, _ in os.walk(folder, topdown=False)]
        for path in (*below, folder.parent):
            with contextlib.suppress(OSError):
                path.rmdir()


def writing_path(month: Month, name: str = "") -> str:
    """The folder of a month's unpublished files, or the path of a file in it."""
    return f"_writing/{month}/{name}".rstrip("/")


def sync(sink: BinaryIO) -> None:
    """Flush a local file to the disk, so that it survives a loss of power."""
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
        os.fsync(sink.fileno())


def discard(sink: BinaryIO) -> None:
    """Close a file that is not needed; an unfinished upload to an object store is aborted."""
    with contextlib.suppress(Exception):
        abort = getattr(sink, "discard", None)
        if callable(abort):
            abort()
        else:
            sink.close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
