"""The repository: files."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from discogs.schema.entities import Month
from discogs.tracking.model import FileChecksum, FileState

if TYPE_CHECKING:
    from discogs.tracking.postgres import PostgresMonthRepository

JUNE = Month(2026, 6)
JULY = Month(2026, 7)
A, B = "a" * 64, "b" * 64


def test_checksums_are_kept_file_by_file(repository: PostgresMonthRepository) -> None:
    repository.ensure(JULY)
    day = dt.date(2026, 7, 1)
    record = repository.record_published(JULY, day, {"artists": A, "labels": B})
    assert record.dump_date == day
    assert record.published == {"artists": A, "labels": B}
    assert not record.file_checksums["artists"].is_right
    at = dt.datetime(2026, 7, 2, 3, 4, 5, 678, tzinfo=dt.timezone.utc)
    right, wrong = FileChecksum(A, A, 123, at), FileChecksum(B, A, 5, at)
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda item: repository.record_checksums(JULY, dict([item])),
                [("artists", right), ("labels", wrong)],
            )
        )
    record = repository.get(JULY)  # type: ignore[assignment]
    assert dict(record.file_checksums) == {"artists": right, "labels": wrong}
    assert right.is_right
    assert not wrong.is_right


def test_a_file_published_again_loses_the_computed_checksum(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    right = FileChecksum(A, A, 123)
    repository.record_published(JULY, None, {"artists": A, "labels": A, "masters": A})
    repository.record_checksums(JULY, {"artists": right, "labels": right})
    record = repository.record_published(JULY, None, {"artists": A, "labels": B})
    assert dict(record.file_checksums) == {"artists": right, "labels": FileChecksum(B)}


def test_a_file_goes_from_listed_to_verified(repository: PostgresMonthRepository) -> None:
    repository.ensure(JULY)
    listed = repository.record_file(JULY, "artists.xml.gz", url="https://x/a", size=100)
    assert (listed.state, listed.attempts, listed.bytes_done) == (FileState.PENDING, 0, 0)
    begun = repository.record_file(JULY, "artists.xml.gz", state=FileState.DOWNLOADING)
    assert (begun.attempts, begun.url, begun.size) == (1, "https://x/a", 100)
    assert begun.started_at is not None
    half = repository.record_file(JULY, "artists.xml.gz", bytes_done=50)
    assert (half.attempts, half.state, half.bytes_done) == (1, FileState.DOWNLOADING, 50)
    resumed = repository.record_file(JULY, "artists.xml.gz", state=FileState.DOWNLOADING)
    assert (resumed.attempts, resumed.bytes_done) == (2, 50)
    whole = repository.record_file(
        JULY, "artists.xml.gz", state=FileState.DOWNLOADED, bytes_done=100, sha256=A
    )
    assert whole.completed_at is not None
    right = repository.record_file(JULY, "artists.xml.gz", state=FileState.VERIFIED)
    assert (right.completed_at, right.sha256) == (whole.completed_at, A)
    assert repository.files(JULY) == [right]


def test_a_file_that_failed_says_why_until_it_is_fetched_again(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    repository.record_file(JULY, "labels", state=FileState.DOWNLOADING)
    third = repository.record_file(JULY, "labels", bytes_done=5, attempts=3)
    assert (third.attempts, third.state) == (3, FileState.DOWNLOADING)
    failed = repository.record_file(
        JULY, "labels", state=FileState.FAILED, error_message="it was cut"
    )
    assert (failed.attempts, failed.error_message) == (3, "it was cut")
    again = repository.record_file(JULY, "labels", state=FileState.DOWNLOADING)
    assert (again.attempts, again.error_message) == (4, None)
    # Its run failed or was killed: the download has ended, or still runs.
    repository.fail_downloads(JULY, "killed")
    (row,) = repository.files(JULY)
    assert (row.state, row.error_message) == (FileState.FAILED, "killed")
    after = repository.record_file(JULY, "labels", bytes_done=7)
    assert (after.state, after.error_message) == (FileState.DOWNLOADING, None)


def test_a_file_fetched_again_has_no_checksum_until_it_is_complete(
    repository: PostgresMonthRepository,
) -> None:
    repository.ensure(JULY)
    repository.record_file(JULY, "labels", state=FileState.VERIFIED, sha256=A)
    again = repository.record_file(JULY, "labels", state=FileState.DOWNLOADING, bytes_done=0)
    assert (again.sha256, again.completed_at) == (None, None)


def test_files_are_listed_by_name_and_month(repository: PostgresMonthRepository) -> None:
    repository.ensure(JULY)
    repository.ensure(JUNE)
    for month, name in ((JULY, "b"), (JULY, "a"), (JUNE, "c")):
        repository.record_file(month, name)
    assert [file.file_name for file in repository.files(JULY)] == ["a", "b"]
    assert [file.file_name for file in repository.files(JUNE)] == ["c"]
