"""Download of a dump file: resumed, retried, hashed while written, renamed when complete."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from discogs.dumps.answers import Broken
from discogs.dumps.checksums import first_words
from discogs.dumps.errors import (
    ChecksumMismatch,
    DumpIncomplete,
    NotAGzipFile,
    RateLimited,
    RequestRefused,
    StorageUnreachable,
    TransferCut,
    TransferFailed,
)
from discogs.dumps.listing import DumpFile
from discogs.dumps.names import DumpName
from discogs.dumps.part import Origin, Part
from discogs.dumps.source import DumpSource
from discogs.dumps.storage import DumpStorage
from discogs.dumps.transport import GZIP, Transport
from discogs.dumps.verify import digest
from discogs.errors import DiscogsError
from discogs.progress import OnProgress, Progress, Ticker, duration

if TYPE_CHECKING:
    from discogs.dumps.curl import Response

log = logging.getLogger(__name__)

#: The number of complete files with a wrong digest after which the download fails.
MISMATCHES = 3
#: Seconds between two progress reports.
PROGRESS_SECONDS = 5.0
#: A transfer that is cut sooner, in seconds, counts as an ordinary network failure.
SHORTEST_CUT = 60.0
#: Two transfers are cut at the same age if the shorter one is at least this share of the longer.
_SAME_AGE = 0.75
#: The number of long transfers without resumption after which the download fails, whatever their
#: ages.
_LOST = 3
#: An attempt that adds at least this many bytes has made progress: the count of attempts restarts.
FURTHER = 1 << 20

_ABSENT = (404, 410)
_HEAD = 512
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class DownloadReport:
    """What a download did.

    :param sha256: the file's SHA-256, equal to the published digest.
    :param republished: whether it is not the digest that the caller expected, since Discogs
        uploaded the file and its CHECKSUM.txt again.
    :param already_there: whether the complete, verified file was in the storage, so that nothing
        was fetched.
    :param resumed_from: bytes of an earlier process that were kept.
    :param transferred: bytes received in all attempts.
    """

    name: str
    url: str
    size: int
    sha256: str
    republished: bool = False
    already_there: bool = False
    attempts: int = 0
    resumed_from: int = 0
    transferred: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def download(
    source: DumpSource,
    file: DumpFile,
    storage: DumpStorage,
    expected: str,
    *,
    current: Callable[[], str] | None = None,
    on_progress: OnProgress | None = None,
    progress_seconds: float = PROGRESS_SECONDS,
    shortest_cut: float = SHORTEST_CUT,
) -> DownloadReport:
    """Fetch a file into the storage, unless it is there with the expected digest.

    After a transient error the ``.part`` is kept. The next call resumes it if the server supports
    ranges and still has the same version. After any other error nothing of the file is kept. There
    is no limit on the duration of a transfer that makes progress.

    :param expected: the published SHA-256, lower-case hexadecimal.
    :param current: fetches the digest that is published now; called when the received file has
        another digest than expected, to distinguish a new upload from damage.
    :param on_progress: called every few seconds and at the end.
    :raises ChecksumMismatch: after several mismatches; a file with a wrong digest is deleted and
        fetched again.
    :raises DumpIncomplete: when the server does not have the file yet.
    :raises NotAGzipFile: when something else was received, such as a web page.
    :raises DiskFull: when the file does not fit, before or while it is written.
    :raises RateLimited: when the server asks for a longer pause than is waited for here.
    :raises TransferCut: when a server that does not resume transfers cuts two at about the same
        age, or three.
    :raises TransferFailed: after several attempts without progress.
    :raises DownloadUnderWay: when another process downloads the file.
    :raises SourceError: when the server refuses the request.
    """
    expected = expected.lower()
    if storage.exists(file.name):
        actual, size = digest(storage, file.name)
        if actual == expected:
            log.info("%s is already in the storage, with the published SHA-256.", file.name)
            return DownloadReport(file.name, file.url, size, actual, already_there=True)
        log.warning(
            "%s is in the storage with another SHA-256 than published; it is fetched again.",
            file.name,
        )
        storage.delete(file.name)
    with storage.part(file.name, file.url, expected) as part:
        transfer = _Transfer(
            source.transport, file, storage, part, on_progress, progress_seconds, shortest_cut
        )
        try:
            return transfer.run(expected, current)
        except (RateLimited, TransferFailed) as error:
            if part.size == 0 or isinstance(error, TransferCut):
                part.discard()
            raise
        except RequestRefused as error:
            part.discard()
            name = DumpName.parse(file.name)
            if error.status not in _ABSENT or name is None:
                raise
            raise DumpIncomplete(name.month, [file.name]) from error
        except StorageUnreachable:
            raise
        except DiscogsError:
            part.discard()
            raise


class _Transfer:
    """The download of a file, in all its attempts."""

    def __init__(
        self,
        transport: Transport,
        file: DumpFile,
        storage: DumpStorage,
        part: Part,
        on_progress: OnProgress | None,
        progress_seconds: float,
        shortest_cut: float,
    ) -> None:
        self.transport = transport
        self.file, self.storage, self.part = file, storage, part
        self.on_progress = on_progress
        self.progress_seconds = progress_seconds
        self.shortest_cut = shortest_cut
        self.started = time.monotonic()
        self.attempt = 0
        self.transferred = 0
        self.resumed_from = self.kept_from_before = part.size
        self.ranges = True
        """Whether to request ranges; False after the server has answered one wrongly."""
        self.doubtful = False
        """Whether the length of the file is not known for certain."""
        self.lost = 0
        """How many long transfers were cut."""
        self.cut_age: float | None = None
        """The age, in seconds, at which the last transfer was cut."""
        self.published = ""

    def run(self, expected: str, current: Callable[[], str] | None) -> DownloadReport:
        self.published = expected
        mismatches = 0

        def attempt() -> None:
            nonlocal mismatches
            self.attempt += 1
            if self.attempt > 1 and self.on_progress is not None:
                self.on_progress(self._progress(self.file.size, self.part.size, 0.0))
            if not self.part.complete:
                self._fetch(expected)
            if self.part.digest == self.published:
                return
            try:
                self._check_digest(current)
            except ChecksumMismatch as error:
                mismatches += 1
                if mismatches >= MISMATCHES:
                    raise
                raise Broken(f"expected SHA-256 {error.expected}, got {error.actual}") from error

        self.transport.attempts(self.file.name, attempt)
        size = self.part.size
        self.part.finish()
        seconds = time.monotonic() - self.started
        log.info(
            "%s: downloaded, %s bytes in %s and %d attempt%s.",
            self.file.name,
            f"{size:,}",
            duration(seconds),
            self.attempt,
            "s" if self.attempt > 1 else "",
        )
        return DownloadReport(
            self.file.name,
            self.file.url,
            size,
            self.published,
            republished=self.published != expected,
            attempts=self.attempt,
            resumed_from=self.resumed_from,
            transferred=self.transferred,
            seconds=round(seconds, 3),
        )

    def _check_digest(self, current: Callable[[], str] | None) -> None:
        """Handle a digest that is not the expected one; it may be the one that is published now.

        :raises Broken: when another attempt may succeed.
        :raises ChecksumMismatch: when the file is damaged.
        """
        actual, before = self.part.digest, self.published
        if self.kept_from_before:
            self._restart()
            raise Broken("the bytes of an earlier process do not match the rest")
        if current is not None:
            self.published = current().lower()
        if self.published != before:
            log.warning("%s was uploaded again: another digest is published.", self.file.name)
        if self.published == actual:
            return
        self._restart()
        if self.published != before:
            raise Broken("the file is being uploaded again")
        if self.doubtful:
            raise Broken("the SHA-256 differs, and the length was not the expected one")
        raise ChecksumMismatch(self.file.name, before, actual)

    def _restart(self, origin: Origin | None = None) -> None:
        self.part.restart(origin)
        self.resumed_from = self.kept_from_before = 0

    def _fetch(self, expected: str) -> None:
        """Send one request, and write the response's body."""
        part, headers = self.part, {}
        if part.size > 0 and not self.ranges:
            self._restart()
        if part.size > 0:
            headers["Range"] = f"bytes={part.size}-"
            if part.origin is not None and part.origin.validator is not None:
                headers["If-Range"] = part.origin.validator
        began = time.monotonic()
        with self.transport.get(self.file.url, headers) as response:
            if response.status_code == 416:
                self._reject_ranges("the server cannot serve the missing range")
            elif response.status_code == 206:
                self._check_range(response, asked="Range" in headers)
            else:
                if part.size > 0:
                    log.info("%s: the server sends the file from the beginning.", self.file.name)
                self._restart(self._origin(response, expected))
            log.info("%s is transferred over HTTP/%s.", self.file.name, response.version)
            kept = part.size
            try:
                self._receive(response)
            except Broken as broken:
                broken.got_further = kept > 0 and part.size - kept >= FURTHER
                resumable = kept > 0 or (self.ranges and "Range" not in headers)
                self._check_cut(time.monotonic() - began, response.version, resumable)
                raise

    def _check_cut(self, age: float, version: str, resumable: bool) -> None:
        """Compare a cut with the one before it.

        :param age: seconds from the request to the cut.
        :param resumable: whether the next attempt may resume the transfer.
        :raises TransferCut: when the transfer cannot be resumed, and both cuts were at about the
            same age, or there were too many.
        """
        before, self.cut_age = self.cut_age, age
        self.lost += age >= self.shortest_cut
        if resumable or before is None or min(age, before) < self.shortest_cut:
            return
        if self.lost >= _LOST or min(age, before) >= _SAME_AGE * max(age, before):
            total = self.part.origin.length if self.part.origin is not None else None
            raise TransferCut(self.file.name, [before, age], self.part.size, total, version)

    def _reject_ranges(self, reason: str) -> None:
        """Start from the beginning, and request no more ranges.

        :raises Broken: with the reason.
        """
        self.ranges = False
        self._restart()
        raise Broken(reason)

    def _origin(self, response: Response, expected: str) -> Origin:
        stated = response.headers.get("content-length", "")
        length = int(stated) if re.fullmatch("[0-9]{1,18}", stated) else None
        if length is None and self.file.exact:
            length = self.file.size
        self.doubtful = length is None or (self.file.exact and length != self.file.size)
        if self.doubtful:
            log.warning(
                "%s: the server states a length of %s, its listing %s.",
                self.file.name,
                length,
                self.file.size,
            )
        etag = response.headers.get("etag", "")
        # RFC 9110 does not allow a weak ETag in If-Range, since it does not imply equal bytes.
        strong = etag if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', etag) else None
        validator = strong or response.headers.get("last-modified")
        return Origin(self.file.url, expected, length, validator)

    def _check_range(self, response: Response, *, asked: bool) -> None:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if not asked or match is None or int(match[1]) != self.part.size:
            self._reject_ranges("the server sends another range than requested")
        elif self.part.origin is not None:
            total = None if match[3] == "*" else int(match[3])
            known = self.part.origin.length
            etag, before = response.headers.get("etag"), self.part.origin.validator or ""
            changed_etag = etag is not None and before.startswith('"') and etag != before
            if (None not in (total, known) and total != known) or changed_etag:
                self._reject_ranges("the file changed on the server")

    def _receive(self, response: Response) -> None:
        part = self.part
        total = part.origin.length if part.origin is not None else None
        size = total if total is not None else self.file.size
        self.storage.require_space(max(0, (size or 0) - part.size))
        head = bytearray()
        checked = part.size > 0
        began, begun_at = time.monotonic(), part.size
        ticker = Ticker(self.progress_seconds)
        for chunk in response.chunks():
            self.transferred += len(chunk)
            if not checked:
                # Chunks may be small: collect enough bytes for the message.
                head += chunk
                if head[:2] != GZIP[: len(head)] and len(head) < _HEAD:
                    continue
                self._check_magic(head)
                checked, chunk = len(head) >= len(GZIP), bytes(head)
                if not checked:
                    continue
            if total is not None and part.size + len(chunk) > total:
                self._reject_ranges(f"the server sends more than the {total} bytes that it stated")
            part.write(chunk)
            if ticker.due():
                self._report(total, begun_at, time.monotonic() - began)
        if not checked:
            if not head and total != 0:
                raise Broken("the server sent nothing")
            self._check_magic(head)
        if total is not None and part.size < total:
            raise Broken(f"it was cut after {part.size:,} of {total:,} bytes")
        self._report(total, begun_at, time.monotonic() - began)

    def _check_magic(self, head: bytearray) -> None:
        if head[:2] != GZIP[: len(head)] or not head:
            raise NotAGzipFile(
                self.file.name, f"the server sent {first_words(bytes(head)) or 'nothing'!r}"
            )

    def _progress(self, total: int | None, begun_at: int, seconds: float) -> Progress:
        return Progress(
            step="download",
            name=self.file.name,
            done=self.part.size,
            total=total,
            seconds=seconds,
            resumed_from=begun_at,
            attempt=self.attempt,
        )

    def _report(self, total: int | None, begun_at: int, seconds: float) -> None:
        progress = self._progress(total, begun_at, seconds)
        log.info("%s", progress)
        if self.on_progress is not None:
            self.on_progress(progress)
