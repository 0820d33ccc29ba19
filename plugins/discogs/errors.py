"""Every error that a user can meet: what happened, to what, and what to do.

An error is *transient* when the same call may succeed later without anybody doing
anything; only those are worth a retry.
"""

from __future__ import annotations


class DiscogsError(Exception):
    """The root of the package's errors; its text is written for the person who reads it."""

    transient: bool = False


class InvalidMonth(DiscogsError, ValueError):
    """A text that should name a month does not."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a month: write it as YYYY-MM, such as 2026-07.")


class InvalidSetting(DiscogsError, ValueError):
    """An environment variable holds what its setting does not take."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}: expected {expected}.")


class DumpError(DiscogsError):
    """A dump file is not what it should be; ``name`` is the file's."""

    verdict = "is not what it should be"
    advice = ""

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        super().__init__(f"{name} {self.verdict}: {detail}.{self.advice}")


class PackageIncomplete(DiscogsError):
    """A file of the package is missing where it is installed."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} is missing: the folder include/ belongs beside plugins/, as in the repository."
        )


class StorageError(DiscogsError):
    """The place where dumps lie cannot be used."""


class TrackingError(DiscogsError):
    """A month's tracking row does not allow what was asked."""


class IllegalTransition(TrackingError):
    """A month cannot go from its status to the one asked for."""

    def __init__(self, month: object, current: str, to: str, allowed: list[str]) -> None:
        super().__init__(
            f"{month} is {current} and cannot become {to}: from {current} it goes to"
            f" {', '.join(allowed)}."
        )


class MonthTaken(TrackingError):
    """A month is another run's."""

    def __init__(self, month: object, status: str, owner: str) -> None:
        self.owner = owner
        super().__init__(
            f"{month} is {status} in another run, {owner}: wait for it, or mark that run as failed"
            " if it is gone."
        )


class MonthUnknown(TrackingError):
    """A month has no tracking row."""

    def __init__(self, month: object) -> None:
        super().__init__(f"{month} has no tracking row: nothing was started for it yet.")


class MonthNotReady(DiscogsError):
    """A step of a month's load was asked for before the one that it needs."""


class RetryLimitReached(DiscogsError):
    """A month has failed as often as it may; somebody must look."""

    def __init__(self, month: object, attempts: int, limit: int, error: str | None) -> None:
        super().__init__(
            f"{month} has failed {attempts} times, the limit is {limit} (DISCOGS_MAX_ATTEMPTS)."
            f" The last error: {error or 'not recorded'}. When its cause is gone, trigger the month"
            " with force, or clear its last run."
        )


class ChecksFailed(DiscogsError):
    """The tables do not hold what the month's dump should have brought."""

    def __init__(self, month: object, failed: list[str]) -> None:
        super().__init__(f"{month} was merged, but checks failed: {'; '.join(failed)}.")


class MonthMismatch(DiscogsError, ValueError):
    """A run is told two different months."""

    def __init__(self, key: object, year_month: object) -> None:
        super().__init__(
            f"The run's partition is {key} and its year_month is {year_month}: give one of them."
        )


class NotStaged(DiscogsError):
    """A merge found that part of the month was never staged."""

    def __init__(self, entity: object, month: object, missing: list[int], shards: int) -> None:
        listed = ", ".join(map(str, missing))
        super().__init__(
            f"{entity} of {month} cannot be merged: of {shards} shards, number {listed} is not"
            " staged. Run (or clear) its stage task first."
        )


class StagingStale(DiscogsError):
    """Another month was merged, or the tables were changed, after this one was staged."""

    def __init__(self, entity: object, month: object) -> None:
        super().__init__(
            f"{entity} of {month} was staged before another month was merged or the tables were"
            " changed, so it must be staged again. Clear its stage tasks."
        )


class StagingLost(StagingStale):
    """A crash of the server has emptied staging tables, which are unlogged."""

    def __init__(self, entity: object, month: object, shards: list[int]) -> None:
        listed = ", ".join(map(str, shards))
        DiscogsError.__init__(
            self,
            f"{entity} of {month} was staged, but the rows of shard {listed} are gone: PostgreSQL"
            " empties staging tables when it restarts after a crash. They must be staged again:"
            " clear the stage tasks.",
        )


class TooManyRejected(DiscogsError):
    """More of a dump's records were rejected than the limit allows."""

    def __init__(self, entity: object, month: object, rejected: int, read: int) -> None:
        super().__init__(
            f"{entity} of {month}: {rejected:,} of {read:,} records were rejected, more than"
            " DISCOGS_MAX_REJECTED allows. Nothing was merged; the table rejected_records says"
            " which and why."
        )


class DumpShrank(DiscogsError):
    """A dump has so many fewer records than the month before that it must be broken."""

    def __init__(
        self, entity: object, month: object, read: int, last: object, before: int, limit: float
    ) -> None:
        super().__init__(
            f"{entity} of {month} has {read:,} records, {before - read:,} fewer than {last}; more"
            f" than {limit:.0%} fewer means a broken dump. Nothing was merged. If Discogs really"
            " removed them, run the month once with shrinking allowed."
        )


class DumpFilesMissing(DiscogsError):
    """A folder does not hold what a load was asked to take from it."""


class FileDiffers(DumpError):
    """A file beside a CHECKSUM.txt has other bytes than that says; the file is left as it is."""

    verdict = "is not what its CHECKSUM.txt says"
    advice = " Nothing was loaded; download the file again."

    def __init__(self, name: str, listed_in: str, expected: str, actual: str) -> None:
        super().__init__(name, f"{listed_in} has SHA-256 {expected}, the file {actual}")
