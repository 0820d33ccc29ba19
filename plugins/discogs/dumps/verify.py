"""Verification of stored dump files."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from discogs.dumps.errors import ChecksumMismatch
from discogs.dumps.storage import DumpStorage

log = logging.getLogger(__name__)

_READ = 1 << 20


def digest(
    storage: DumpStorage, name: str, on_bytes: Callable[[int], object] | None = None
) -> tuple[str, int]:
    """Compute the SHA-256 of a stored file.

    :param on_bytes: called with the number of bytes read so far.
    :returns: the digest and the size.
    :raises DumpFileMissing: when the file does not exist.
    """
    sha, size = hashlib.sha256(), 0
    with storage.open(name) as opened:
        while chunk := opened.read(_READ):
            sha.update(chunk)
            size += len(chunk)
            if on_bytes is not None:
                on_bytes(size)
    return sha.hexdigest(), size


def verify(
    storage: DumpStorage,
    name: str,
    expected: str,
    on_bytes: Callable[[int], object] | None = None,
) -> int:
    """Compare a stored file with its published SHA-256; a file that differs is deleted.

    :param expected: lower-case hexadecimal.
    :param on_bytes: called with the number of bytes read so far.
    :returns: the file's size.
    :raises ChecksumMismatch: when it differs.
    :raises DumpFileMissing: when the file does not exist.
    """
    actual, size = digest(storage, name, on_bytes)
    if actual != expected.lower():
        storage.delete(name)
        raise ChecksumMismatch(name, expected.lower(), actual)
    log.info("%s: SHA-256 verified, %d bytes.", name, size)
    return size
