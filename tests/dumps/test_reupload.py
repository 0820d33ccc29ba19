"""Files that are uploaded again while they are downloaded."""

from __future__ import annotations

import gzip

import pytest

from discogs.dumps.download import download
from discogs.dumps.errors import ChecksumMismatch
from discogs.dumps.storage import DumpStorage
from tests import faults
from tests.dumps.conftest import Open, Served, fetch, left, whole

LABELS = "labels"


def reupload(at: Served) -> None:
    """Replace the labels' file by another one."""
    (at.folder / at.name).write_bytes(gzip.compress(b"another" * 9000))


def test_a_reupload_between_two_attempts_is_noticed(place: Open, storage: DumpStorage) -> None:
    at = place("s3")
    before = at.digest
    at.mirror.add(faults.cut(10_000).on(LABELS))
    at.mirror.add(faults.action(lambda: reupload(at)).on(LABELS))
    report = download(at.source, at.file, storage, before, current=lambda: at.digest)
    assert whole(at, storage)
    assert report.republished
    assert report.sha256 == at.digest != before
    # If-Range made the server send the new file from its beginning.
    assert at.asked == 2


def test_a_reupload_in_the_middle_of_a_set_is_noticed(place: Open, storage: DumpStorage) -> None:
    at = place("s3")
    before = at.digest
    reupload(at)
    report = download(at.source, at.file, storage, before, current=lambda: at.digest)
    assert (report.republished, at.asked) == (True, 1)
    assert whole(at, storage)


def test_a_file_that_is_uploaded_again_during_the_transfer_is_fetched_again(
    place: Open, storage: DumpStorage
) -> None:
    at = place("s3")

    def current() -> str:
        if at.asked == 1:
            reupload(at)
        return at.digest

    at.mirror.add(faults.corrupt(100).on(LABELS))
    report = download(at.source, at.file, storage, at.digest, current=current)
    assert (report.republished, report.attempts) == (True, 2)
    assert whole(at, storage)


def test_damage_is_not_taken_for_a_reupload(place: Open, storage: DumpStorage) -> None:
    at = place("s3", [faults.corrupt(100).on(LABELS).repeated(None)])
    with pytest.raises(ChecksumMismatch):
        fetch(at, storage, current=lambda: at.digest)
    assert at.asked == 3
    assert left(storage) == []
