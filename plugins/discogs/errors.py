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


class NotADump(DumpError):
    """A file holds something else than one of Discogs' dumps."""

    verdict = "is not the dump that its name says"
    advice = " Download the file again, and check where it came from."


class TruncatedDump(DumpError):
    """A dump ends before its end."""

    verdict = "is cut short"
    advice = " Nothing of it was loaded; download the file again."


class CorruptDump(DumpError):
    """A dump's compressed bytes are damaged."""

    verdict = "is damaged"
    advice = " Nothing of it was loaded; download the file again."


class PackageIncomplete(DiscogsError):
    """A file of the package is missing where it is installed."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} is missing: the folder include/ belongs beside plugins/, as in the repository."
        )


class SourceError(DiscogsError):
    """The server that dumps come from, or the way to it, did not do what it should."""


class AddressInvalid(SourceError, ValueError):
    """A text that should be the address of a server of dumps is not."""

    def __init__(self, text: str, detail: str) -> None:
        super().__init__(
            f"{text!r} is not an address of dumps: {detail}. Write it as https://data.discogs.com"
        )


class DumpNotPublished(SourceError):
    """The server has no dump of the month, as far as it tells."""

    transient = True

    def __init__(self, month: object, detail: str) -> None:
        super().__init__(f"The dump of {month} is not published: {detail}. Look again later.")


class DumpIncomplete(SourceError):
    """Part of a month's dump is there; ``lacking`` names the files that are not."""

    transient = True

    def __init__(self, month: object, lacking: list[str]) -> None:
        self.lacking = tuple(lacking)
        super().__init__(
            f"The dump of {month} is not complete: {', '.join(lacking)} not published."
            " Look again later, or ask for the entities that are there."
        )


class RateLimited(SourceError):
    """The server asks to come back later; ``retry_after`` is seconds, None if it names none."""

    transient = True

    def __init__(self, url: str, status: int, retry_after: float | None) -> None:
        self.retry_after = retry_after
        when = "without saying when" if retry_after is None else f"in {retry_after:.0f} s"
        super().__init__(
            f"{url} answered {status}: come back later, {when}."
            " Asking sooner may make the wait longer."
        )


class TransferFailed(SourceError):
    """A transfer broke and did not succeed in the attempts that it had."""

    transient = True

    def __init__(self, what: str, reason: str, attempts: int) -> None:
        self.attempts = attempts
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"{what} could not be fetched ({tries}): {reason}.")


class RequestRefused(SourceError):
    """The server refused a request for good, with ``status``."""

    def __init__(self, url: str, status: int) -> None:
        self.status = status
        super().__init__(
            f"{url} answered {status}. Check the address, the layout and the login of the"
            " connection to the dumps."
        )


class RedirectRefused(SourceError):
    """A redirect led where this package does not follow."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(f"{url} {detail}. Check the address of the connection to the dumps.")


class TlsFailed(SourceError):
    """The server's certificate does not prove that it is the server asked for."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(
            f"{url} cannot be trusted: {detail}. Check the address; for a certificate authority of"
            " your own, name its file in REQUESTS_CA_BUNDLE."
        )


class ListingInvalid(SourceError):
    """A listing of dumps cannot be read."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(f"The listing at {url} cannot be read: {detail}.")


class ChecksumFileInvalid(DumpError):
    """A CHECKSUM.txt is not a list of SHA-256 digests and dump names."""

    verdict = "is not a list of checksums"
    advice = " Nothing was downloaded; look at the file on the server."


class NotAGzipFile(DumpError):
    """A server sent something else than a gzip file, such as a page that says why."""

    transient = True
    verdict = "is not a gzip file"


class ChecksumMismatch(DumpError):
    """A file's SHA-256 is not the published one; the file was deleted."""

    verdict = "does not have the published SHA-256"
    advice = " The file was deleted; download it again."

    def __init__(self, name: str, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(name, f"expected {expected}, got {actual}")


class DumpFileMissing(DumpError):
    """A dump's file is not in the storage."""

    verdict = "is not in the storage"
    advice = " Download it first."


class StorageError(DiscogsError):
    """The place where dumps lie cannot be used."""


class DiskFull(StorageError):
    """There is no room for a dump; what was written of it was deleted."""

    def __init__(self, folder: object, detail: str) -> None:
        super().__init__(
            f"No room in {folder}: {detail}. Free some, or set DISCOGS_STORAGE to a larger place."
        )


class DownloadUnderWay(StorageError):
    """Another process is writing the same file."""

    transient = True

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is being downloaded by another process: wait for it.")


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
    """Another month was merged after this one was staged."""

    def __init__(self, entity: object, month: object) -> None:
        super().__init__(
            f"{entity} of {month} was staged before another month was merged, so it must be"
            " staged again. Clear its stage tasks."
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


class AlertNotSent(DiscogsError):
    """A message could not be handed to whoever should get it; its text names no path or login."""

    def __init__(self, connection: str, where: str, why: str) -> None:
        super().__init__(f"No alert was sent through connection {connection} ({where}): {why}.")
