"""Errors about a month's tracking row."""

from __future__ import annotations

from discogs.errors import DiscogsError


class IllegalTransition(DiscogsError):
    """A month cannot change from its status to another one."""

    def __init__(self, month: object, current: str, to: str, allowed: list[str]) -> None:
        super().__init__(
            f"{month} is {current} and cannot become {to}: from {current} it goes to"
            f" {', '.join(allowed)}."
        )


class MonthTaken(DiscogsError):
    """Another run has claimed the month."""

    def __init__(self, month: object, status: str, owner: str) -> None:
        self.owner = owner
        super().__init__(
            f"{month} is {status} in another run, {owner}: wait for it, or mark that run as failed"
            " if it is gone."
        )


class MonthUnknown(DiscogsError):
    """A month has no tracking row."""

    def __init__(self, month: object) -> None:
        super().__init__(f"{month} has no tracking row: nothing was started for it yet.")
