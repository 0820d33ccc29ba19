"""Dumps in an object store, through fsspec: read as streams, and written in parts.

A download is stored as it arrives, in objects of equal size, ``NAME.part.0001`` and so on, so that
it needs no local disk and any worker can resume it. When it is complete, the parts are joined (by
S3 itself; in other stores they are copied through the worker) and deleted.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, BinaryIO, Protocol, cast

from discogs.dumps.errors import StorageRefused, StorageUnreachable
from discogs.dumps.part import Origin, Part, is_resumable, read_origin
from discogs.errors import DiscogsError, StorageError

log = logging.getLogger(__name__)

#: Bytes of a part. S3 joins at most 10,000 parts, of at least 5 MiB each.
PART_BYTES = 16 << 20
_COPY = 8 << 20
_BLOCK = 8 << 20  # bytes per request while an object is read
_NUMBERED = re.compile(r"\.part\.([0-9]{4,5})$")
# The package to install for a protocol; for others, the Airflow provider of the protocol.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "airflow-discogs[s3]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl"), "apache-airflow-providers-microsoft-azure"),
}


class ObjectRoot(Protocol):
    """The root of a storage: a path of universal_pathlib, or of Airflow's ObjectStoragePath."""

    @property
    def fs(self) -> Any: ...
    @property
    def path(self) -> str: ...
    @property
    def protocol(self) -> str: ...


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing.

    :param modified: seconds since the epoch; None if the store does not state it.
    """

    name: str
    size: int
    modified: float | None


class ObjectStore:
    """The objects directly below a root.

    Its methods raise :class:`StorageRefused` when the store refuses, and
    :class:`StorageUnreachable` when it does not answer.
    """

    def __init__(self, root: ObjectRoot) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    @cached_property
    def _fs(self) -> Any:
        try:
            return self._root.fs
        except (ImportError, ValueError) as error:
            protocol = self._root.protocol
            what = _PACKAGES.get(protocol, f"the Airflow provider of {protocol}://")
            raise StorageError(
                f"The storage {self} cannot be opened: {error}. Install {what} for every worker"
                " (pip install), or set DISCOGS_STORAGE to a folder."
            ) from None

    def _path(self, name: str) -> str:
        return f"{str(self._root.path).rstrip('/')}/{name}"

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn errors of the file system into the package's own.

        :param what: the operation, as a gerund.
        """
        try:
            yield
        except DiscogsError:
            raise
        except (PermissionError, FileNotFoundError) as error:
            raise StorageRefused(self, what, " ".join(str(error).split())) from error
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            if "Credentials" in type(error).__name__:
                raise StorageRefused(self, what, text) from error
            module = type(error).__module__.partition(".")[0]
            # The errors of botocore and aiohttp are not OSErrors.
            if isinstance(error, OSError | TimeoutError) or module in ("botocore", "aiohttp"):
                raise StorageUnreachable(self, what, text) from error
            raise

    def size(self, name: str) -> int | None:
        """The size of an object in bytes; None when it does not exist."""
        with self._explained(f"looking for {name}"):
            self._fs.invalidate_cache()  # another worker may have written it
            try:
                return int(self._fs.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def open(self, name: str) -> BinaryIO:
        """Open an object for sequential reading.

        :raises FileNotFoundError: when it does not exist.
        """
        if self.size(name) is None:
            raise FileNotFoundError(name)
        with self._explained(f"reading {name}"):
            opened = self._fs.open(
                self._path(name), "rb", block_size=_BLOCK, cache_type="readahead"
            )
        return cast("BinaryIO", opened)

    def put(self, name: str, data: bytes) -> None:
        """Store a small object in one request."""
        with self._explained(f"writing {name}"):
            self._fs.pipe_file(self._path(name), data)

    def delete(self, name: str) -> None:
        """Delete an object if it exists."""
        with self._explained(f"deleting {name}"), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def list(self) -> list[StoredObject]:
        """The objects, sorted by name; empty when the root does not exist."""
        with self._explained("listing"):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._path("").rstrip("/"), detail=True)
            except FileNotFoundError:
                return []
        objects = [
            StoredObject(str(item["name"]).rpartition("/")[2], int(item["size"]), _modified(item))
            for item in found
            if item["type"] == "file"
        ]
        return sorted(objects, key=lambda item: item.name)

    def compose(self, name: str, parts: Iterable[str]) -> None:
        """Join objects, in order, to one. Readers see the complete object or none."""
        target = self._path(name)
        with self._explained(f"joining the parts of {name}"):
            self.abort_uploads(name)
            try:
                if self._is_s3:
                    self._fs.merge(target, [self._path(part) for part in parts])
                else:
                    with self._fs.open(target, "wb") as sink:
                        for part in parts:
                            with self._fs.open(self._path(part), "rb") as source:
                                shutil.copyfileobj(source, sink, _COPY)
            except BaseException:
                with contextlib.suppress(Exception):
                    self.abort_uploads(name)
                    if not self._is_s3:
                        self._fs.rm_file(target)
                raise

    @property
    def _is_s3(self) -> bool:
        return callable(getattr(self._fs, "call_s3", None))

    def abort_uploads(self, name: str) -> None:
        """Abort multipart uploads that a killed process has left: they are not listed as objects,
        but cost as much."""
        if not self._is_s3:
            return
        bucket, _, key = self._path(name).partition("/")
        try:
            found = self._fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key)
        except (PermissionError, FileNotFoundError) as error:
            log.debug("Unfinished uploads of %s cannot be listed: %s", name, error)
            return
        for upload in found.get("Uploads", []):
            if upload["Key"] == key:
                upload_id = upload["UploadId"]
                self._fs.call_s3(
                    "abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload_id
                )


class PartObjects(Part):
    """An unfinished file in an object store, like :class:`~discogs.dumps.part.PartFile` on a disk.

    There are no locks. Two processes that download one file store the same bytes under the same
    names; if they do not, the checksum of the complete file differs.
    """

    def __init__(
        self,
        store: ObjectStore,
        name: str,
        url: str,
        expected: str,
        part_bytes: int | None = None,
    ) -> None:
        super().__init__(name)
        self._store = store
        self._state = f"{name}.part.json"
        self._part_bytes = part_bytes or PART_BYTES
        self._buffer = bytearray()
        self._parts = [
            item.name
            for item in store.list()
            if item.name.startswith(f"{name}.part.") and _NUMBERED.search(item.name)
        ]
        self._resume(url, expected)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Store the bytes since the last complete part, for the next attempt."""
        if self._buffer and self.origin is not None:
            with contextlib.suppress(StorageError):
                self._store.put(self._part_name(len(self._parts)), bytes(self._buffer))

    def _part_name(self, index: int) -> str:
        return f"{self.name}.part.{index + 1:04d}"

    def _resume(self, url: str, expected: str) -> None:
        try:
            with self._store.open(self._state) as opened:
                origin = read_origin(opened.read(), self._state)
        except FileNotFoundError:
            origin = None
        whole = self._parts == [self._part_name(index) for index in range(len(self._parts))]
        if not whole or origin is None or not self._parts:
            self.restart()
            return
        found, self._parts = self._parts, []
        for part in found:
            with self._store.open(part) as opened:
                data = opened.read()
            self._hash.update(data)
            self.size += len(data)
            if len(data) == self._part_bytes:
                self._parts.append(part)
            else:  # only the last part may be shorter; it is filled up
                self._buffer += data
                whole = part == found[-1]
                break
        if not whole or not is_resumable(origin, url, expected, self.size):
            self._parts = found
            self.restart()
            return
        self.origin = origin
        log.info("%s: %d bytes of an earlier attempt are kept.", self.name, self.size)

    def restart(self, origin: Origin | None = None) -> None:
        self._clear()
        self.size = 0
        self._hash = hashlib.sha256()
        self.origin = origin
        if origin is not None:
            self._store.put(self._state, json.dumps(asdict(origin)).encode("ascii"))

    def write(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self._buffer += chunk
        self.size += len(chunk)
        while len(self._buffer) >= self._part_bytes:
            part = self._part_name(len(self._parts))
            self._store.put(part, bytes(memoryview(self._buffer)[: self._part_bytes]))
            self._parts.append(part)
            del self._buffer[: self._part_bytes]

    def finish(self) -> None:
        if not self._parts:
            self._store.put(self.name, bytes(self._buffer))
        else:
            if self._buffer:
                self._parts.append(self._part_name(len(self._parts)))
                self._store.put(self._parts[-1], bytes(self._buffer))
                self._buffer.clear()
            self._store.compose(self.name, self._parts)
        self._clear()

    def discard(self) -> None:
        """Delete the parts; an error is ignored, since the caller already has one."""
        with contextlib.suppress(StorageError):
            self._clear()
            self._store.abort_uploads(self.name)

    def _clear(self) -> None:
        # A shorter last part of an earlier process is in the store too, besides the buffer.
        last = [self._part_name(len(self._parts))] if self._buffer else []
        for name in [self._state, *self._parts, *last]:
            self._store.delete(name)
        self._parts = []
        self._buffer.clear()


def _modified(item: dict[str, Any]) -> float | None:
    for key in ("LastModified", "last_modified", "mtime", "created"):
        value = item.get(key)
        if isinstance(value, dt.datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None
