"""Downloads from servers with faults: the correct file or a clear error, and no left-over files."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import time
from pathlib import Path

import pytest

from discogs.dumps.download import download
from discogs.dumps.errors import (
    ChecksumMismatch,
    DiskFull,
    DownloadUnderWay,
    DumpIncomplete,
    NotAGzipFile,
    RateLimited,
    RequestRefused,
    SourceError,
    TransferFailed,
)
from discogs.dumps.storage import DumpStorage
from discogs.progress import Progress
from discogs.sample import exchange
from discogs.sample.exchange import Fault
from discogs.sample.mirror import Mirror
from tests import faults
from tests.dumps.conftest import Open, fetch, left, local, whole

LABELS = "labels"
LAYOUTS = pytest.mark.parametrize("layout", ["data.discogs.com", "s3"])


@LAYOUTS
def test_a_server_without_faults_gets_one_request(
    place: Open, storage: DumpStorage, layout: str
) -> None:
    at = place(layout)
    seen: list[Progress] = []
    report = fetch(at, storage, on_progress=seen.append)
    assert whole(at, storage)
    assert at.asked == 1
    assert (report.sha256, report.size, report.attempts) == (at.digest, len(at.data), 1)
    assert (report.transferred, report.resumed_from) == (len(at.data), 0)
    assert not report.republished
    assert (seen[-1].done, seen[-1].total, seen[-1].eta) == (len(at.data), len(at.data), 0)
    assert json.loads(json.dumps(report.as_dict()))["name"] == at.name


# Fault, how often the file is asked for with Range ignored, and with Range honoured.
PASSING = [
    (faults.cut(0), 2, 2),
    (faults.cut(1), 2, 2),
    (faults.cut(2), 2, 2),
    (faults.cut(30_000), 2, 2),
    (faults.cut(30_000, reset=True), 2, 2),
    (faults.status(503), 2, 2),
    (faults.status(500).repeated(4), 5, 5),
    (faults.status(408), 2, 2),
    (faults.status(429, retry_after="0"), 2, 2),
    (faults.status(503, retry_after="0"), 2, 2),
    (faults.stall(0, 0.8), 2, 2),
    (faults.stall(30_000, 0.8), 2, 2),
    (faults.length(+10), 2, 3),
    (faults.reset(), 2, 2),
    (faults.redirect("{target}"), 2, 2),
    (faults.no_length(), 1, 1),
    (faults.corrupt(100), 2, 2),
    (faults.corrupt(60_000).repeated(2), 3, 3),
    (faults.length(-10), 2, 2),
]


@pytest.mark.parametrize(
    ("fault", "asked", "asked_s3"), PASSING, ids=[fault.name for fault, _, _ in PASSING]
)
@LAYOUTS
def test_after_a_transient_fault_the_file_is_correct(
    place: Open, storage: DumpStorage, layout: str, fault: Fault, asked: int, asked_s3: int
) -> None:
    at = place(layout, [fault.on(LABELS)])
    fetch(at, storage)
    assert whole(at, storage)
    assert at.asked == (asked_s3 if layout == "s3" else asked)


def test_a_reset_on_connect_is_tried_again(place: Open, storage: DumpStorage) -> None:
    at = place(faults=[faults.reset_on_connect(3)])
    assert fetch(at, storage).attempts == 4
    assert whole(at, storage)
    assert at.mirror.connections == 4


def test_a_cut_transfer_is_resumed(place: Open, storage: DumpStorage) -> None:
    at = place("s3", [faults.cut(n).on(LABELS) for n in (10_000, 20_000, 1)])
    report = fetch(at, storage)
    assert whole(at, storage)
    assert [request.range for request in at.mirror.seen] == [
        None,
        "bytes=10000-",
        "bytes=30000-",
        "bytes=30001-",
    ]
    assert all(request.headers.get("if-range") for request in at.mirror.seen[1:])
    assert (report.attempts, report.transferred) == (4, len(at.data))


def test_without_ranges_a_cut_transfer_starts_again(place: Open, storage: DumpStorage) -> None:
    at = place("data.discogs.com", [faults.cut(10_000).on(LABELS)])
    report = fetch(at, storage)
    assert whole(at, storage)
    assert report.transferred == len(at.data) + 10_000


RANGES = [
    (faults.ignored_range(), 2),
    (faults.wrong_range(-1), 3),
    (faults.wrong_range(+1), 3),
    (faults.refused_range(), 3),
]


@pytest.mark.parametrize(("fault", "asked"), RANGES, ids=[fault.name for fault, _ in RANGES])
def test_after_a_wrong_response_to_a_range_the_file_is_correct(
    place: Open, storage: DumpStorage, fault: Fault, asked: int
) -> None:
    at = place("s3", [faults.cut(10_000).on(LABELS), fault.on(LABELS)])
    fetch(at, storage)
    assert whole(at, storage)
    assert at.asked == asked
    # A server that answered a range wrongly is not asked for one again.
    assert [request.range for request in at.mirror.seen][2:] == [None] * (asked - 2)


def test_partial_content_that_was_not_requested_is_not_used(
    place: Open, storage: DumpStorage
) -> None:
    def partial(
        _request: exchange.Request, reply: exchange.Reply, _wait: exchange.Wait
    ) -> exchange.Reply:
        headers = {**reply.headers, "Content-Range": "bytes 5-60017/60018"}
        return dataclasses.replace(reply, status=206, headers=headers)

    at = place("s3", [Fault("206", partial, LABELS)])
    fetch(at, storage)
    assert whole(at, storage)
    assert at.asked == 2


def test_without_a_length_a_cut_is_detected_by_the_digest(
    place: Open, storage: DumpStorage
) -> None:
    def both(
        request: exchange.Request, reply: exchange.Reply, wait: exchange.Wait
    ) -> exchange.Reply:
        for fault in (faults.cut(20_000), faults.no_length()):
            assert fault.effect is not None
            reply = fault.effect(request, reply, wait)
        return reply

    at = place(faults=[Fault("cut without a length", both, LABELS)])
    assert fetch(at, storage).attempts == 2
    assert whole(at, storage)


def test_a_very_slow_body_counts_as_stalled(place: Open, storage: DumpStorage) -> None:
    at = place("s3", [faults.slow(1000, chunk=50).on(LABELS).repeated(None)])
    started = time.monotonic()
    with pytest.raises(TransferFailed, match=r"5 attempts.*only [0-9]+ bytes came"):
        fetch(at, storage)
    assert time.monotonic() - started < 4
    assert at.asked == 5
    assert not storage.exists(at.name)


def test_a_slow_body_reports_its_progress(place: Open, storage: DumpStorage) -> None:
    at = place("s3", [faults.slow(100_000, chunk=1000).on(LABELS)])
    seen: list[Progress] = []
    fetch(at, storage, on_progress=seen.append)
    assert whole(at, storage)
    assert 3 <= len(seen) <= 62
    assert [item.done for item in seen] == sorted(item.done for item in seen)
    assert all(item.total == len(at.data) and item.rate > 0 for item in seen)
    assert seen[0].eta is not None
    assert seen[0].eta > 0


LASTING = [
    (faults.cut(0), "the server|the connection"),
    (faults.cut(1), "the connection was cut"),
    (faults.status(503), "the server answered 503"),
    (faults.reset(), "the connection failed"),
    (faults.stall(0, 0.6), r"no data came for 0\.4 s"),
]


@pytest.mark.parametrize(("fault", "told"), LASTING, ids=[fault.name for fault, _ in LASTING])
def test_a_permanent_fault_is_an_error_after_five_attempts(
    place: Open, storage: DumpStorage, fault: Fault, told: str
) -> None:
    at = place("data.discogs.com", [fault.on(LABELS).repeated(None)])
    with pytest.raises(TransferFailed, match=rf"5 attempts\): .*{told}") as caught:
        fetch(at, storage)
    assert (caught.value.attempts, at.asked) == (5, 5)
    assert caught.value.transient
    assert left(storage) == []


def test_a_rate_limit_is_left_to_the_caller(place: Open, storage: DumpStorage) -> None:
    at = place(faults=[faults.status(429, retry_after="3574").on(LABELS)])
    with pytest.raises(RateLimited) as caught:
        fetch(at, storage)
    assert caught.value.retry_after == 3574
    assert at.asked == 1
    assert left(storage) == []


def test_a_rate_limit_keeps_the_bytes_before_it(place: Open, storage: DumpStorage) -> None:
    at = place(
        "s3", [faults.cut(30_000).on(LABELS), faults.status(429, retry_after="60").on(LABELS)]
    )
    with pytest.raises(RateLimited):
        fetch(at, storage)
    assert left(storage) == [f"{at.name}.part", f"{at.name}.part.json"]
    assert fetch(at, storage).resumed_from == 30_000
    assert whole(at, storage)


FINAL = [
    (faults.html(), NotAGzipFile, "DOCTYPE html"),
    (faults.content(b""), NotAGzipFile, "nothing"),
    (faults.content(b"P"), NotAGzipFile, "'P'"),
    (faults.content(b"PK\x03\x04" * 999), NotAGzipFile, "is not a gzip file"),
    (faults.corrupt(0), NotAGzipFile, "is not a gzip file"),
    (faults.status(403), RequestRefused, "answered 403"),
    (faults.status(404), DumpIncomplete, "labels.xml.gz not published"),
    (faults.status(204), RequestRefused, "answered 204"),
    (faults.redirect_loop(), SourceError, "more than 5 times"),
]


@pytest.mark.parametrize(
    ("fault", "error", "told"), FINAL, ids=[f"{f.name} {n}" for n, (f, _, _) in enumerate(FINAL)]
)
@LAYOUTS
def test_a_permanent_fault_is_an_error_at_once(
    place: Open,
    storage: DumpStorage,
    layout: str,
    fault: Fault,
    error: type[Exception],
    told: str,
) -> None:
    at = place(layout, [fault.on(LABELS)])
    with pytest.raises(error, match=told):
        fetch(at, storage)
    assert at.asked == (6 if error is SourceError else 1)
    assert left(storage) == []


@LAYOUTS
def test_the_error_for_a_corrupted_file_has_both_digests(
    place: Open, storage: DumpStorage, layout: str
) -> None:
    at = place(layout, [faults.corrupt(100).on(LABELS).repeated(None)])
    with pytest.raises(ChecksumMismatch) as caught:
        fetch(at, storage)
    wrong = bytearray(at.data)
    wrong[100] ^= 0xFF
    assert caught.value.expected == at.digest
    assert caught.value.actual == hashlib.sha256(wrong).hexdigest()
    assert not caught.value.transient
    assert at.asked == 3
    assert left(storage) == []


def test_a_length_other_than_the_listing_says_is_tried_again(
    place: Open, storage: DumpStorage
) -> None:
    at = place(faults=[faults.length(-10).on(LABELS)])
    file = dataclasses.replace(at.file, size=len(at.data), exact=True)
    assert download(at.source, file, storage, at.digest).attempts == 2
    assert whole(at, storage)


def test_a_redirect_to_another_host_is_followed_and_resumed(
    place: Open, storage: DumpStorage, folder: Path
) -> None:
    with Mirror(folder, "s3", faults=[faults.cut(10_000)]) as other:
        at = place("s3", [faults.redirect(f"{other.url}{{target}}").on(LABELS).repeated(None)])
        fetch(at, storage)
        assert [request.range for request in other.seen] == [None, "bytes=10000-"]
    assert whole(at, storage)


def test_a_content_encoding_is_not_removed(place: Open, storage: DumpStorage) -> None:
    at = place()
    at.mirror.add(faults.content(at.data, Content_Encoding="gzip").on(LABELS))
    fetch(at, storage)
    assert whole(at, storage)


def test_a_decompression_bomb_is_not_decompressed(
    place: Open, storage: DumpStorage, folder: Path
) -> None:
    at = place()
    (folder / at.name).write_bytes(gzip.compress(gzip.compress(b"\0" * 50_000_000), mtime=0))
    assert fetch(at, storage).size == len(at.data) < 100_000
    assert whole(at, storage)


def test_a_complete_file_is_not_fetched_again(place: Open, storage: DumpStorage) -> None:
    at = place()
    fetch(at, storage)
    report = fetch(at, storage)
    assert report.already_there
    assert (report.attempts, report.transferred, at.asked) == (0, 0, 1)
    assert report.sha256 == at.digest


def test_a_file_with_a_wrong_digest_is_fetched_again(place: Open, storage: DumpStorage) -> None:
    at = place()
    local(storage).mkdir()
    (local(storage) / at.name).write_bytes(b"\x1f\x8bwrong")
    assert not fetch(at, storage).already_there
    assert whole(at, storage)


def test_too_little_space_is_an_error_before_anything_is_written(
    place: Open, storage: DumpStorage
) -> None:
    at = place()
    storage.margin = 1 << 60
    with pytest.raises(DiskFull, match="bytes are needed") as caught:
        fetch(at, storage)
    assert "DISCOGS_STORAGE" in str(caught.value)
    assert left(storage) == []


def test_two_processes_do_not_write_the_same_file(place: Open, storage: DumpStorage) -> None:
    at = place("s3", [faults.cut(10_000).on(LABELS)])
    told: list[BaseException] = []

    def second(_progress: Progress) -> None:
        with pytest.raises(DownloadUnderWay) as caught:
            fetch(at, storage)
        told.append(caught.value)

    fetch(at, storage, on_progress=second)
    assert len(told) >= 1
    assert whole(at, storage)
