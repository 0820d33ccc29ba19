"""The metrics of a load, emitted through Airflow's stats; docs/alerts.md has a generated table.

Plain StatsD has no tags, so the entity is part of a name: ``discogs.stage.releases.read``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Metrics:
    """Metrics of one kind; timers are in seconds.

    :param names: last component of each name.
    """

    kind: Literal["timer", "counter", "gauge"]
    names: tuple[str, ...]
    about: str


#: Every metric, by the start of its name, in which ENTITY stands for an entity.
METRICS: dict[str, tuple[Metrics, ...]] = {
    "discogs.download.ENTITY": (
        Metrics("timer", ("seconds",), "duration of one file's download"),
        Metrics("counter", ("bytes", "attempts"), "bytes over the network, attempts"),
        Metrics("counter", ("failed",), "failed attempts of the task"),
        Metrics("gauge", ("bytes_per_second",), "rate of one download"),
    ),
    "discogs.stage.ENTITY": (
        Metrics(
            "timer", ("seconds",), "duration of one shard, from the file to the staging tables"
        ),
        Metrics("timer", ("copy_seconds",), "time in COPY, summed over threads"),
        Metrics("counter", ("read", "unchanged", "changed", "rejected"), "records"),
        Metrics("counter", ("rows", "copied_bytes"), "sent with COPY"),
        Metrics("gauge", ("records_per_second",), "rate of one shard"),
    ),
    "discogs.merge.ENTITY": (
        Metrics("timer", ("seconds",), "duration of one merge"),
        Metrics("counter", ("inserted", "updated", "removed", "restored"), "records"),
    ),
    "discogs.month": (
        Metrics(
            "timer",
            ("seconds", "download_seconds", "processing_seconds"),
            "durations of a loaded month",
        ),
        Metrics("counter", ("completed", "failed"), "loaded months, failed runs"),
        Metrics("gauge", ("failed_attempts",), "failed attempts before a month was loaded"),
    ),
    "discogs.disk": (
        Metrics(
            "gauge",
            ("used_bytes", "free_bytes"),
            "disk of `DISCOGS_STORAGE`, if it is local",
        ),
    ),
}


def downloaded(entity: str, report: Mapping[str, Any]) -> None:
    """A file was downloaded; one that was there already emits nothing."""
    if report["already_there"]:
        return
    values = {
        "seconds": report["seconds"],
        "bytes": report["transferred"],
        "attempts": report["attempts"],
        "bytes_per_second": _rate(report["transferred"], report["seconds"]),
    }
    _emit("discogs.download.ENTITY", values, entity)


def download_failed(entity: str) -> None:
    """An attempt to download a file failed."""
    _emit("discogs.download.ENTITY", {"failed": 1}, entity)


def staged(entity: str, report: Mapping[str, Any]) -> None:
    """A shard was staged."""
    rate = _rate(report["read"], report["seconds"])
    _emit("discogs.stage.ENTITY", {**report, "records_per_second": rate}, entity)


def merged(entity: str, report: Mapping[str, Any]) -> None:
    """An entity was merged."""
    _emit("discogs.merge.ENTITY", {**report, "seconds": report["merge_seconds"]}, entity)


def completed(report: Mapping[str, Any]) -> None:
    """A month was loaded."""
    values = {name: report[name] for name in ("seconds", "download_seconds", "processing_seconds")}
    _emit("discogs.month", {**values, "completed": 1, "failed_attempts": report["retry_count"]})


def failed() -> None:
    """A run failed. Called in the scheduler, where only Airflow's own stats are set up."""
    from airflow.observability import stats

    _emit("discogs.month", {"failed": 1}, stats=stats)


def disk(use: Mapping[str, Any] | None) -> None:
    """How full the storage's disk is; nothing when the storage is not local."""
    if use is not None:
        _emit("discogs.disk", {"used_bytes": use["used"], "free_bytes": use["free"]})


def _emit(group: str, values: Mapping[str, Any], entity: str = "", stats: Any = None) -> None:
    """Emit those of a group's metrics that have a value."""
    if stats is None:
        from airflow.sdk.observability import stats
    emit = {
        "timer": lambda name, seconds: stats.timing(name, dt.timedelta(seconds=seconds)),
        "counter": stats.incr,
        "gauge": stats.gauge,
    }
    for metrics in METRICS[group]:
        for last in metrics.names:
            if (value := values.get(last)) is not None:
                emit[metrics.kind](f"{group.replace('ENTITY', entity)}.{last}", value)


def _rate(amount: int, seconds: float) -> float | None:
    return round(amount / seconds, 3) if seconds > 0 else None
