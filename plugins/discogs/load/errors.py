"""Errors of a month's load: what is asked for, what was found, what stops it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from discogs.errors import DiscogsError
from discogs.schema.entities import Month


class MonthMismatch(DiscogsError, ValueError):
    """A run was given two different months."""

    def __init__(self, key: object, year_month: object) -> None:
        super().__init__(
            f"The run's partition is {key} and its year_month is {year_month}: give one of them."
        )


class MonthAhead(DiscogsError, ValueError):
    """A run was given a month that has not begun."""

    def __init__(self, month: Month) -> None:
        super().__init__(
            f"{month} has not begun: Discogs publishes its dump on {month.first_day} or later. Is"
            " the month mistyped?"
        )


class FolderUnusable(DiscogsError):
    """A folder does not hold the dump files that a load was to take from it."""


class MonthNotReady(DiscogsError):
    """A step of a month's load was called before the one that it needs."""


class RetryLimitReached(DiscogsError):
    """A month has failed as often as it may; a person must look."""

    def __init__(self, month: object, attempts: int, limit: int, error: str | None) -> None:
        super().__init__(
            f"{month} has failed {attempts} times, the limit is {limit} (DISCOGS_MAX_ATTEMPTS)."
            f" The last error: {error or 'not recorded'}. Fix its cause, then trigger the month"
            " with force, or clear its last run."
        )


class NotStaged(DiscogsError):
    """A merge found that a part of the month was never staged."""

    def __init__(
        self, entity: object, month: object, missing: Collection[int], shards: int
    ) -> None:
        listed = ", ".join(map(str, missing))
        super().__init__(
            f"{entity} of {month} cannot be merged: of {shards} shards, number {listed} is not"
            " staged. Run (or clear) its stage task first."
        )


class StagingStale(DiscogsError):
    """What was staged cannot be merged any more, and must be staged again."""

    def __init__(self, entity: object, month: object, reason: str) -> None:
        super().__init__(
            f"{entity} of {month} must be staged again: {reason}. Clear its stage tasks."
        )


class DumpRefused(DiscogsError):
    """Guards do not let a staged month into the tables: its dump is probably broken."""

    def __init__(self, month: object, problems: Sequence[str], done: str = "merged") -> None:
        super().__init__(
            f"The dump of {month} is probably broken, and is not {done}: {'; '.join(problems)}."
            " If it is right all the same, raise the limit, or run the month once with shrinking"
            " allowed."
        )


class ExportIncomplete(DiscogsError):
    """What was written of a month's export cannot be put together."""

    def __init__(self, month: object, place: object, lacking: Sequence[str]) -> None:
        super().__init__(
            f"The export of {month} to {place} is not whole, it lacks: {'; '.join(lacking)}. Each"
            " worker must have the same DISCOGS_EXPORT and DISCOGS_FILTER, and see the same files"
            " there. Clear the task export.begin, and what follows it."
        )


class ChecksFailed(DiscogsError):
    """The tables do not hold what the month's dump should have brought."""

    def __init__(self, month: object, failed: Sequence[str]) -> None:
        super().__init__(f"{month} was merged, but checks failed: {'; '.join(failed)}.")
