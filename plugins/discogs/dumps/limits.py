"""How long, how often and how far: the limits of every transfer."""

from __future__ import annotations

from dataclasses import dataclass

from discogs.settings import GIB, Settings


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes.

    :param connect: until a connection must be accepted.
    :param read: that a server may send nothing.
    :param transfer: for one file, all attempts together.
    :param attempts: for faults that may pass.
    :param backoff: before the second attempt; doubles from there, with jitter.
    :param max_backoff: longest wait between two attempts.
    :param max_retry_after: a longer Retry-After is raised as RateLimited.
    :param progress: between two reports.
    :param margin: disk space that stays free.
    :param redirects: followed for one request.
    """

    connect: float = 15.0
    read: float = 60.0
    transfer: float = 43200.0
    attempts: int = 5
    backoff: float = 2.0
    max_backoff: float = 120.0
    max_retry_after: float = 120.0
    progress: float = 5.0
    margin: int = 2 * GIB
    redirects: int = 5

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits, with what the settings say of them."""
        return cls(margin=settings.disk_margin)
