"""Errors of the server of dumps, of dump files, and of their storage."""

from __future__ import annotations

from discogs.errors import DiscogsError, DumpError, StorageError


class SourceError(DiscogsError):
    """The server of dumps, or the connection to it, has failed."""


class AddressInvalid(SourceError, ValueError):
    """An address is not valid, or is not that of a server of dumps."""

    def __init__(self, text: str, detail: str) -> None:
        super().__init__(
            f"{text!r} is not an address of dumps: {detail}. Write it as https://data.discogs.com"
        )


class DumpNotPublished(SourceError):
    """The server has no dump of the month yet, or only a part of it."""

    transient = True

    def __init__(self, month: object, detail: str) -> None:
        super().__init__(f"The dump of {month} is not published: {detail}. Try again later.")


class DumpIncomplete(DumpNotPublished):
    """Part of a month's dump is published; ``lacking`` names the files that are not."""

    def __init__(self, month: object, lacking: list[str]) -> None:
        self.lacking = tuple(lacking)
        DiscogsError.__init__(
            self,
            f"The dump of {month} is not complete: {', '.join(lacking)} not published."
            " Try again later, or ask for the entities that are there.",
        )


class RateLimited(SourceError):
    """The server limits requests; ``retry_after`` is the pause in seconds, None if not stated."""

    transient = True

    def __init__(self, url: str, status: int, retry_after: float | None) -> None:
        self.retry_after = retry_after
        when = "later" if retry_after is None else f"in {_duration(retry_after)}"
        super().__init__(
            f"{url} answered {status}: too many requests. Try again {when}. The limit counts all"
            " machines behind one address, and earlier requests may extend it."
        )


class TransferFailed(SourceError):
    """A transfer failed in all its attempts."""

    transient = True

    def __init__(self, what: str, reason: str, attempts: int) -> None:
        self.attempts = attempts
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"{what} could not be fetched ({tries}): {reason}.")


class TransferCut(TransferFailed):
    """A server that does not resume transfers cuts a long transfer each time.

    :param ages: seconds from the request to each of the last two cuts.
    :param done: bytes received before the last cut.
    :param total: bytes of the file; None when not known.
    :param version: the HTTP version.
    """

    transient = False

    def __init__(
        self, name: str, ages: list[float], done: int, total: int | None, version: str
    ) -> None:
        rate = done / ages[-1]
        of = f" of {_size(total)}" if total is not None else ""
        needed = f"; at this rate {_minutes(total / rate)} are needed" if total and rate else ""
        DiscogsError.__init__(
            self,
            f"{name} was cut after {_minutes(ages[-1])} with {_size(done)}{of} at"
            f" {rate / 1e6:.1f} MB/s over HTTP/{version}, and in the attempt before after"
            f" {_minutes(ages[0])}; this server does not resume transfers{needed}. Use a faster"
            " connection or a mirror, or download the file on another machine (python -m discogs"
            " fetch). The next scheduled run tries again.",
        )
        self.attempts = len(ages)


class RequestRefused(SourceError):
    """The server refused a request permanently, with ``status``."""

    def __init__(self, url: str, status: int, detail: str = "") -> None:
        self.status = status
        cause = detail or _CAUSES.get(
            status, "Check the address, the layout and the login of the connection to the dumps"
        )
        super().__init__(f"{url} answered {status}. {cause}.")


_CAUSES = {
    401: "The server asks for a login: check login and password of the connection to the dumps",
    403: "The probable causes are: this machine's network is blocked (those of hosted CI runners"
    " and some clouds are; download on another machine, or use a mirror), the login of the"
    " connection is missing or wrong, or its layout is not the server's (data.discogs.com or s3)",
}  # fmt: skip


class ListingUnreadable(SourceError):
    """A listing of dumps cannot be read."""

    def __init__(self, url: str, detail: str) -> None:
        super().__init__(f"The listing at {url} cannot be read: {detail}.")


class BrowserCheck(ListingUnreadable):
    """The server answers with a page that checks for a browser."""

    def __init__(self, url: str) -> None:
        SourceError.__init__(
            self,
            f"{url} answered with a browser check instead of dumps: it refuses this network or this"
            " kind of client at the moment. Download on another machine, use a mirror, or try again"
            " later.",
        )


class ChecksumFileInvalid(DumpError):
    """A CHECKSUM.txt is not a list of SHA-256 digests and dump names."""

    verdict = "is not a list of checksums"
    advice = " Look at the file where it came from."


class NotAGzipFile(DumpError):
    """A server sent something else than a gzip file, such as an error page."""

    transient = True
    verdict = "is not a gzip file"
    advice = " The server may not have the file yet: try again later."


class ChecksumMismatch(DumpError):
    """A file's SHA-256 is not the published one; the file was deleted."""

    verdict = "does not have the published SHA-256"
    advice = " The file was deleted; download it again (in Airflow: clear its task download)."

    def __init__(self, name: str, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(name, f"expected {expected}, got {actual}")


class DumpFileMissing(DumpError):
    """A dump's file is not in the storage, as seen from this machine."""

    verdict = "is not in the storage"
    advice = (
        " If it was downloaded, a worker with another storage has done it. All workers must share"
        " one: set DISCOGS_STORAGE on each to a folder of one shared volume, or to an address such"
        " as s3://connection@bucket/dumps. Otherwise download it first (in Airflow: clear its task"
        " download)."
    )


class StorageRefused(StorageError):
    """An object store refused access.

    :param what: the operation, as a gerund.
    :param why: the store's message.
    """

    def __init__(self, storage: object, what: str, why: str) -> None:
        super().__init__(
            f"The storage {storage} refused {what}: {why}. Check DISCOGS_STORAGE (the bucket must"
            " exist), the login (access key) and password (secret) of its connection, and their"
            " permission to list, read, write and delete."
        )


class StorageUnreachable(StorageError):
    """An object store did not answer, or the connection was lost; the stored parts of a download
    are kept."""

    transient = True

    def __init__(self, storage: object, what: str, why: str) -> None:
        super().__init__(f"The storage {storage} did not answer while {what}: {why}.")


class DiskFull(StorageError):
    """There is not enough disk space for a dump; its unfinished file was deleted."""

    def __init__(self, folder: object, detail: str) -> None:
        super().__init__(
            f"Not enough disk space in {folder}: {detail}. Free some, or set DISCOGS_STORAGE to a"
            " larger disk."
        )


class DownloadUnderWay(StorageError):
    """Another process is writing the same file."""

    transient = True

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is being downloaded by another process: wait for it.")


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds:.0f} s ({seconds / 60:.0f} minutes)"
