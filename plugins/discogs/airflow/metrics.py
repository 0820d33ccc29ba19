"""Metrics emitted by a load, through Airflow's own; the README lists the names.

Plain StatsD drops tags, so the entity is part of a name: ``discogs.stage.releases.read``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from airflow.sdk.observability import stats

_STAGED = ("read", "unchanged", "changed", "rejected", "rows", "copied_bytes")
_MERGED = ("inserted", "updated", "removed", "restored")


def downloaded(entity: str, report: Mapping[str, Any]) -> None:
    """A file was downloaded; one that was there already emits nothing."""
    if report["already_there"]:
        return
    name = f"discogs.download.{entity}"
    _time(f"{name}.seconds", report["seconds"])
    stats.incr(f"{name}.bytes", report["transferred"])
    stats.incr(f"{name}.attempts", report["attempts"])
    _rate(f"{name}.bytes_per_second", report["transferred"], report["seconds"])


def staged(entity: str, report: Mapping[str, Any]) -> None:
    """A shard was staged."""
    name = f"discogs.stage.{entity}"
    _time(f"{name}.seconds", report["seconds"])
    _time(f"{name}.copy_seconds", report["copy_seconds"])
    for count in _STAGED:
        stats.incr(f"{name}.{count}", report[count])
    _rate(f"{name}.records_per_second", report["read"], report["seconds"])


def merged(entity: str, report: Mapping[str, Any]) -> None:
    """An entity was merged."""
    name = f"discogs.merge.{entity}"
    _time(f"{name}.seconds", report["merge_seconds"])
    for count in _MERGED:
        stats.incr(f"{name}.{count}", report[count])


def completed(report: Mapping[str, Any]) -> None:
    """A month is loaded."""
    stats.incr("discogs.month.completed")
    stats.gauge("discogs.month.failed_attempts", report["retry_count"])
    for part in ("download_seconds", "processing_seconds", "seconds"):
        if report[part] is not None:
            _time(f"discogs.month.{part}", report[part])


def failed() -> None:
    """A run has failed. Called in the scheduler, where only Airflow's own stats are set up."""
    from airflow.observability import stats

    stats.incr("discogs.month.failed")


def disk(use: Mapping[str, Any] | None) -> None:
    """How full the storage's disk is; nothing when the storage is not local."""
    if use is not None:
        stats.gauge("discogs.disk.used_bytes", use["used"])
        stats.gauge("discogs.disk.free_bytes", use["free"])


def _time(name: str, seconds: float) -> None:
    stats.timing(name, dt.timedelta(seconds=seconds))


def _rate(name: str, amount: int, seconds: float) -> None:
    if seconds > 0:
        stats.gauge(name, round(amount / seconds, 3))
