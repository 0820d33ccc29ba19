"""The progress of long steps, in one form for logs, progress bars and the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

log = logging.getLogger(__name__)

#: Seconds until a running part is logged for the first time, and between two further log lines.
_SLOW_SECONDS, _STILL_SECONDS = 1.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of one step of one entity.

    :param step: ``download``, ``verify``, ``stage``, ``keys``, ``merge`` or ``export``.
    :param name: the file, or its entity.
    :param done: bytes of the compressed file, including those of an earlier attempt; or the number
        of completed parts.
    :param total: bytes of the compressed file, or number of parts; None if unknown.
    :param seconds: time since this attempt began.
    :param unit: the unit of ``done`` and ``total``.
    :param resumed_from: bytes that an earlier attempt left.
    :param attempt: number of the attempt, from 1; None for a step without attempts.
    :param records: records read so far; None for a step that reads none.
    :param detail: what the step is doing, such as the table that is merged.
    :param shard: number of the shard, from 0.
    """

    step: str
    name: str
    done: int
    total: int | None
    seconds: float
    unit: Literal["bytes", "parts"] = "bytes"
    resumed_from: int = 0
    attempt: int | None = None
    records: int | None = None
    detail: str | None = None
    shard: int = 0
    shards: int = 1

    @property
    def share(self) -> float | None:
        """The share that is done, from 0 to 1; None if the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def rate(self) -> float:
        """Bytes, or parts, per second in this attempt."""
        return (self.done - self.resumed_from) / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Estimated seconds until the end; None if unknown, and for parts, which differ in size."""
        if self.total is None or self.rate <= 0 or self.unit == "parts":
            return None
        return max(0, self.total - self.done) / self.rate

    def __str__(self) -> str:
        """A line for a log."""
        name = self.name
        if self.shards > 1:
            name += f", shard {self.shard + 1} of {self.shards}"
        if self.unit == "parts":
            return f"{self.step} {name}: {self.done} of {self.total}: {self.detail}"
        size, unit = (1e3, "kB") if (self.total or self.done) < 1e6 else (1e6, "MB")
        total = "?" if self.total is None else f"{self.total / size:,.1f}"
        parts = [f"{self.done / size:,.1f} of {total} {unit}"]
        if self.share is not None:
            parts.append(f"{self.share:.1%}")
        parts.append(f"{self.rate / 1e6:.2f} MB/s")
        if self.records is not None:
            rate = self.records / self.seconds if self.seconds > 0 else 0
            parts.append(f"{self.records:,} records, {rate:,.0f} records/s")
        if self.eta is not None:
            left = f"{self.eta:.0f} s" if self.eta < 60 else duration(self.eta)
            parts.append(f"{left} left")
        return f"{self.step} {name}: {', '.join(parts)}"


OnProgress = Callable[[Progress], object]


class Parts:
    """The progress of a step that consists of parts, whose own progress is unknown. Each part is
    logged when it ends, and also while it runs if it takes longer than a second.

    :param step: such as ``merge``.
    :param total: number of parts.
    :param on_progress: called when a part starts and ends, in the thread of the part.
    """

    def __init__(
        self, step: str, name: str, total: int, on_progress: OnProgress | None = None
    ) -> None:
        self._step, self._name, self._total = step, name, total
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._started = self._ended = 0

    @contextmanager
    def part(self, detail: str) -> Iterator[Callable[[str], None]]:
        """A context manager for one part.

        :param detail: what the part does.
        :returns: a function that takes a result of the part, for the log line at its end.
        """
        found: list[str] = []
        with self._lock:
            self._started += 1
            number = self._started
        line = f"{self._step} {self._name}, {number} of {self._total}: {detail}"
        ended = threading.Event()
        threading.Thread(target=_watch, args=(line, ended), daemon=True).start()
        self._report(detail)
        began = time.monotonic()
        try:
            yield found.append
        finally:
            ended.set()
        with self._lock:
            self._ended += 1
        self._report(detail)
        what = f"{', '.join(found)}, " if found else ""
        took = duration(time.monotonic() - began)
        log.info("%s: %s%s", line, what, took)

    def _report(self, detail: str) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    step=self._step,
                    name=self._name,
                    done=self._ended,
                    total=self._total,
                    seconds=time.monotonic() - self._began,
                    unit="parts",
                    detail=detail,
                )
            )


def _watch(line: str, ended: threading.Event) -> None:
    """Log regularly that a part is running, until it ends."""
    if ended.wait(_SLOW_SECONDS):
        return
    began = time.monotonic() - _SLOW_SECONDS
    log.info("%s …", line)
    while not ended.wait(_STILL_SECONDS):
        log.info("%s … (%s so far)", line, duration(time.monotonic() - began))


class Ticker:
    """Limits reports to one in ``every`` seconds."""

    def __init__(self, every: float = 0.2) -> None:
        self.every = every
        self.last = time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < self.every:
            return False
        self.last = now
        return True


def duration(seconds: float) -> str:
    """``0.8 s``, ``4:05`` (minutes), ``3:04:05``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
