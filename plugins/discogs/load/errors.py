"""Errors of a month's load."""

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
    """A folder does not have the dump files that were asked for."""


class MonthNotReady(DiscogsError):
    """A step of a month's load was called before a step that it depends on."""


class RetryLimitReached(DiscogsError):
    """A month has reached its limit of failed attempts; a person must fix the cause."""

    def __init__(self, month: object, attempts: int, limit: int, error: str | None) -> None:
        super().__init__(
            f"{month} has failed {attempts} times, the limit is {limit} (DISCOGS_MAX_ATTEMPTS)."
            f" The last error: {error or 'not recorded'}. Fix its cause, then trigger the month"
            " with force, or clear its last run."
        )


class NotStaged(DiscogsError):
    """A shard of the month to be merged is not staged.

    :param missing: the shards' numbers, from 0.
    """

    def __init__(
        self, entity: object, month: object, missing: Collection[int], shards: int
    ) -> None:
        listed = ", ".join(str(number + 1) for number in missing)
        super().__init__(
            f"{entity} of {month} cannot be merged: shard {listed} of {shards} is not staged."
            " Run (or clear) its stage task first."
        )


class StagingStale(DiscogsError):
    """The staged rows no longer fit the tables; the entity must be staged again."""

    def __init__(self, entity: object, month: object, reason: str) -> None:
        super().__init__(
            f"{entity} of {month} must be staged again: {reason}. Clear its stage tasks."
        )


class DumpRefused(DiscogsError):
    """A month exceeds a limit and is not merged or exported: its dump is probably broken."""

    def __init__(self, month: object, problems: Sequence[str], done: str = "merged") -> None:
        super().__init__(
            f"The dump of {month} is probably broken, and is not {done}: {'; '.join(problems)}."
            " If the dump is right, raise the limit, or run the month once with shrinking allowed."
        )


class ExportIncomplete(DiscogsError):
    """A month's export cannot be published, since parts of it are missing.

    :param missing: what is missing, an item each.
    """

    def __init__(self, month: object, folder: object, missing: Sequence[str]) -> None:
        super().__init__(
            f"The export of {month} to {folder} is incomplete; missing: {'; '.join(missing)}."
            " All workers need the same DISCOGS_EXPORT and DISCOGS_FILTER, and must see the same"
            " files there. Clear the task export.begin, with what follows it."
        )


class ChecksFailed(DiscogsError):
    """A check after the merge failed: the tables do not have the rows that the dump should give."""

    def __init__(self, month: object, failed: Sequence[str]) -> None:
        super().__init__(f"{month} was merged, but checks failed: {'; '.join(failed)}.")
