"""Retention: deleting dump files that are no longer needed.

A complete file is deleted when its month is completed, is not one of the newest completed months
that are kept, and no run uses it. An unfinished download is deleted when its month is completed, or
when it has not been written to for long, but never while a run uses its month.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from discogs.dumps.storage import DiskUse, DumpStorage, Stored
from discogs.schema.entities import Month

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CleanupReport:
    """What a cleanup did.

    :param deleted: sizes of the deleted files, by name.
    :param failed: errors by name.
    :param disk_before: use of the storage's disk; None when it is not a local disk.
    """

    deleted: dict[str, int]
    failed: dict[str, str]
    disk_before: DiskUse | None
    disk_after: DiskUse | None

    @property
    def bytes_freed(self) -> int:
        return sum(self.deleted.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "bytes_freed": self.bytes_freed}


def expired(
    files: Iterable[Stored],
    *,
    completed: Collection[Month],
    in_use: Collection[Month],
    keep: int | None,
    stale_seconds: float,
    now: float,
) -> list[Stored]:
    """The files to delete.

    :param completed: months whose load is completed.
    :param in_use: months that a run works on.
    :param keep: the number of newest completed months whose files are kept; None keeps all.
    :param stale_seconds: age from which an unfinished file of a month that is not completed is
        deleted.
    :param now: seconds since the epoch.
    """
    kept = set(completed if keep is None else sorted(completed, reverse=True)[:keep])
    found = []
    for item in files:
        month = item.dump.month
        if month in in_use:
            continue
        if not item.part:
            is_expired = month in completed and month not in kept
        elif month in completed:
            is_expired = True
        else:
            is_expired = item.modified is not None and now - item.modified > stale_seconds
        if is_expired:
            found.append(item)
    return found


def clean(
    storage: DumpStorage,
    *,
    completed: Collection[Month],
    in_use: Collection[Month],
    keep: int | None,
    stale_seconds: float,
) -> CleanupReport:
    """Delete the expired files; a failure is logged and reported, not raised."""
    before = _disk_use(storage)
    deleted: dict[str, int] = {}
    failed: dict[str, str] = {}
    try:
        files = storage.files()
    except Exception as error:
        # Object stores raise many kinds of errors; none may fail a load that is complete.
        log.warning("%s cannot be listed, so no file is deleted: %s", storage, error)
        return CleanupReport({}, {str(storage): str(error)}, before, before)
    found = expired(
        files,
        completed=completed,
        in_use=in_use,
        keep=keep,
        stale_seconds=stale_seconds,
        now=time.time(),
    )
    for item in found:
        try:
            storage.delete_stored(item)
        except Exception as error:
            log.warning("%s could not be deleted: %s", item.name, error)
            failed[item.name] = str(error)
        else:
            log.info("Deleted %s, %d bytes.", item.name, item.size)
            deleted[item.name] = item.size
    report = CleanupReport(deleted, failed, before, _disk_use(storage))
    log.info(
        "Cleanup: %d files deleted, %d bytes freed, %d failed, %d files kept.",
        len(deleted),
        report.bytes_freed,
        len(failed),
        len(files) - len(deleted),
    )
    return report


def _disk_use(storage: DumpStorage) -> DiskUse | None:
    try:
        return storage.disk_use()
    except OSError as error:
        log.warning("The disk use of %s is unknown: %s", storage, error)
        return None
