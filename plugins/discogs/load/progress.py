"""What a running step tells whoever watches it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a step has come; ``total_bytes`` is None where the size is not known."""

    entity: str
    step: str
    records: int
    packed_bytes: int
    total_bytes: int | None
    seconds: float

    @property
    def share(self) -> float | None:
        """Done so far, from 0 to 1."""
        return min(1.0, self.packed_bytes / self.total_bytes) if self.total_bytes else None


OnProgress = Callable[[Progress], None]


class Ticker:
    """Calls back at most every so many seconds."""

    def __init__(self, every: float = 0.2) -> None:
        self.every = every
        self.last = time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < self.every:
            return False
        self.last = now
        return True
