"""Which files of dumps may go, and their deletion.

A whole file goes when its month is completed, no run uses it, and it is not among the newest
completed months that are kept. An unfinished download goes when its month is completed, or
when nobody has written to it for long; never while a run uses its month.
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

    :param deleted: names and bytes.
    :param failed: names and reasons.
    :param disk_before: use of the storage's disk; None when it is not local.
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


def may_go(
    files: Iterable[Stored],
    *,
    completed: Collection[Month],
    in_use: Collection[Month],
    keep: int | None,
    stale_seconds: float,
    now: float,
) -> list[Stored]:
    """The files that retention lets go.

    :param completed: months whose load is completed.
    :param in_use: months that a run is working on, whatever their rows say.
    :param keep: newest completed months whose files stay; None keeps all, 0 none.
    :param stale_seconds: age at which an unfinished file of another month goes.
    :param now: seconds since the epoch.
    """
    kept = set(completed if keep is None else sorted(completed, reverse=True)[:keep])
    going = []
    for item in files:
        month = item.dump.month
        if month in in_use:
            continue
        if not item.part:
            goes = month in completed and month not in kept
        elif month in completed:
            goes = True
        else:
            goes = item.modified is not None and now - item.modified > stale_seconds
        if goes:
            going.append(item)
    return going


def clean(
    storage: DumpStorage,
    *,
    completed: Collection[Month],
    in_use: Collection[Month],
    keep: int | None,
    stale_seconds: float,
) -> CleanupReport:
    """Delete what ``may_go``; a failure is logged and reported, never raised."""
    before = _disk_use(storage)
    deleted: dict[str, int] = {}
    failed: dict[str, str] = {}
    try:
        files = storage.files()
    except Exception as error:
        # Object stores raise errors of their own kinds; none may fail a finished load.
        log.warning("%s cannot be listed, nothing is cleaned up: %s", storage, error)
        return CleanupReport({}, {str(storage): str(error)}, before, before)
    going = may_go(
        files,
        completed=completed,
        in_use=in_use,
        keep=keep,
        stale_seconds=stale_seconds,
        now=time.time(),
    )
    for item in going:
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
        "Cleanup: %d files deleted, %d bytes freed, %d failed, %d files stay.",
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
        log.warning("Disk use of %s is unknown: %s", storage, error)
        return None
