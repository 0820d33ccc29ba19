"""How far a step is that takes more than seconds: the same for logs, bars and metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of one step on one file.

    :param step: ``download``, ``verify`` or ``stage``.
    :param name: the file, or the entity that it holds.
    :param bytes_done: of the packed file, including those of an earlier attempt.
    :param total: bytes of the packed file; None when they are not known.
    :param seconds: since this attempt began.
    :param resumed_from: bytes that an earlier attempt left.
    :param records: read so far; None for a step that reads none.
    """

    step: str
    name: str
    bytes_done: int
    total: int | None
    seconds: float
    resumed_from: int = 0
    records: int | None = None

    @property
    def share(self) -> float | None:
        """Done so far, from 0 to 1."""
        return min(1.0, self.bytes_done / self.total) if self.total else None

    @property
    def rate(self) -> float:
        """Bytes a second of this attempt."""
        return (self.bytes_done - self.resumed_from) / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds until the end; None when unknown."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.bytes_done) / self.rate

    def __str__(self) -> str:
        """A line for a log."""
        total = "?" if self.total is None else f"{self.total / 1e6:,.1f}"
        parts = [f"{self.bytes_done / 1e6:,.1f} of {total} MB"]
        if self.share is not None:
            parts.append(f"{self.share:.1%}")
        parts.append(f"{self.rate / 1e6:.2f} MB/s")
        if self.records is not None:
            rate = self.records / self.seconds if self.seconds > 0 else 0
            parts.append(f"{self.records:,} records, {rate:,.0f} records/s")
        if self.eta is not None:
            parts.append(f"{self.eta:.0f} s left")
        return f"{self.step} {self.name}: {', '.join(parts)}"


OnProgress = Callable[[Progress], object]


class Ticker:
    """Says when the next report is due: at most one in so many seconds."""

    def __init__(self, every: float = 0.2) -> None:
        self.every = every
        self.last = time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < self.every:
            return False
        self.last = now
        return True
