"""An unfinished download: ``<name>.part``, its hash, and the state needed to resume it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from discogs.dumps.errors import DiskFull, DownloadUnderWay

log = logging.getLogger(__name__)

PART = ".part"
STATE = ".part.json"
_READ = 1 << 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@dataclass(frozen=True)
class Origin:
    """The file and version that the bytes come from, stored beside the ``.part``.

    :param expected: the published SHA-256.
    :param length: of the complete file; None if the server did not state it.
    :param validator: for If-Range: a strong ETag, or a Last-Modified.
    """

    url: str
    expected: str
    length: int | None
    validator: str | None


def read_origin(text: bytes, name: object) -> Origin | None:
    """Parse the state stored beside a ``.part``; None when it cannot be read.

    :param name: the file's name, for the log.
    """
    try:
        return Origin(**json.loads(text))
    except (ValueError, TypeError):
        log.warning("%s cannot be read; the download starts from the beginning.", name)
        return None


def is_resumable(origin: Origin | None, url: str, expected: str, size: int) -> bool:
    """Whether the ``size`` bytes of an earlier attempt are the beginning of the file to fetch."""
    if origin is None or (origin.url, origin.expected) != (url, expected):
        return False
    return 0 < size <= (size if origin.length is None else origin.length)


class Part(ABC):
    """An unfinished download; a context manager.

    :param name: the name of the complete file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self.origin: Origin | None = None
        self._hash = hashlib.sha256()

    def __enter__(self) -> Part:
        return self

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @abstractmethod
    def restart(self, origin: Origin | None = None) -> None:
        """Discard the bytes, and begin again with those of ``origin``."""

    @abstractmethod
    def write(self, chunk: bytes) -> None:
        """Append bytes.

        :raises DiskFull: when there is not enough disk space.
        """

    @abstractmethod
    def finish(self) -> None:
        """Give the complete file its final name."""

    @abstractmethod
    def discard(self) -> None:
        """Delete the unfinished file and its state."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the bytes so far, in lower-case hexadecimal."""
        return self._hash.hexdigest()

    @property
    def complete(self) -> bool:
        """Whether the file has the length that the server stated."""
        return self.origin is not None and self.origin.length == self.size > 0


def sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a rename in it survives a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class PartFile(Part):
    """An unfinished file on a disk, hashed as it is written.

    The file of an earlier process is resumed if it has the same address and published digest.

    :raises DownloadUnderWay: when another process writes it.
    """

    def __init__(self, folder: Path, name: str, url: str, expected: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(name)
        self.folder = folder
        self.path = folder / (name + PART)
        self._state = folder / (name + STATE)
        self._url, self._expected = url, expected
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            self._resume()
        except BaseException:
            os.close(self._handle)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._handle)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadUnderWay(self.name) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            log.debug("%s cannot be locked: %s", self.path, error)
        # The process that held the lock before may have renamed the file after it was opened here.
        if not self.path.exists() or not os.path.samestat(os.fstat(self._handle), self.path.stat()):
            raise DownloadUnderWay(self.name)

    def _resume(self) -> None:
        origin = self._read_state()
        size = os.fstat(self._handle).st_size
        if not is_resumable(origin, self._url, self._expected, size):
            self.restart()
            return
        self.origin = origin
        log.info("%s: %d bytes of an earlier attempt are kept.", self.name, size)
        with self.path.open("rb") as before:
            while chunk := before.read(_READ):
                self._hash.update(chunk)
                self.size += len(chunk)
        os.lseek(self._handle, self.size, os.SEEK_SET)

    def _read_state(self) -> Origin | None:
        try:
            return read_origin(self._state.read_bytes(), self._state)
        except FileNotFoundError:
            return None

    def restart(self, origin: Origin | None = None) -> None:
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self.size = 0
        self._hash = hashlib.sha256()
        self.origin = origin
        if origin is None:
            self._state.unlink(missing_ok=True)
            return
        new = self._state.with_name(self._state.name + ".new")
        try:
            new.write_text(json.dumps(asdict(origin)), encoding="ascii")
            new.replace(self._state)
        except OSError as error:
            raise self._explained(error) from error

    def write(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        left = memoryview(chunk)
        while left:
            try:
                written = os.write(self._handle, left)
            except OSError as error:
                raise self._explained(error) from error
            left = left[written:]
            self.size += written

    def _explained(self, error: OSError) -> Exception:
        if error.errno in _NO_ROOM:
            return DiskFull(
                self.folder, f"{self.name} stops at {self.size:,} bytes ({error.strerror})"
            )
        return error

    def finish(self) -> None:
        """Flush the file to the disk, and give it its final name."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise self._explained(error) from error
        self.path.replace(self.folder / self.name)
        sync_folder(self.folder)
        self._state.unlink(missing_ok=True)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)
