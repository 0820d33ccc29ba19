from __future__ import annotations

import datetime as dt
import io
import json
from typing import TYPE_CHECKING

import pytest

from discogs.schema.entities import Entity, Month
from discogs.tracking.model import FileChecksum, FileState, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from discogs.tracking.report import EntityReport, MonthReport

if TYPE_CHECKING:
    from discogs.database.connection import Connect

JULY = Month(2026, 7)
RUN = RunIdentity("discogs_monthly", "one")
STATS = {
    "read": 12000,
    "unchanged": 11000,
    "inserted": 600,
    "updated": 390,
    "removed": 3,
    "restored": 0,
    "rejected": 10,
    "seconds": 2.0,
    "bytes": 4_500_000,
    "sha256": "a" * 64,
    "unmapped": {"release/mood": 7},
}


@pytest.fixture
def repository(connect: Connect) -> PostgresMonthRepository:
    repository = PostgresMonthRepository(connect)
    repository.claim(JULY, RUN)
    repository.record_published(JULY, dt.date(2026, 7, 1), {})
    repository.record_file(JULY, "labels.gz", state=FileState.VERIFIED, size=5, bytes_done=5)
    repository.record_entity_stats(JULY, Entity.RELEASES, STATS)
    repository.record_entity_stats(JULY, Entity.LABELS, {"read": 1})
    return repository


def complete(repository: PostgresMonthRepository) -> None:
    for status in (Status.READY_FOR_PROCESSING, Status.PROCESSING, Status.COMPLETED):
        repository.move(JULY, status, run=RUN)


def report(repository: PostgresMonthRepository) -> MonthReport:
    record = repository.get(JULY)
    assert record is not None
    return MonthReport.of(record, repository.files(JULY))


def test_a_report_is_json_with_what_was_counted(repository: PostgresMonthRepository) -> None:
    complete(repository)
    values = json.loads(json.dumps(report(repository).as_dict()))
    assert (values["year_month"], values["status"]) == ("2026-07", "completed")
    assert values["dump_date"] == "2026-07-01"
    assert values["seconds"] >= values["processing_seconds"] >= 0
    assert list(values["entities"]) == ["labels", "releases"]
    releases = values["entities"]["releases"]
    assert releases.keys() == values["entities"]["labels"].keys()
    counted = {name: value for name, value in releases.items() if value is not None}
    found_nothing: dict[str, object] = {
        **{name: {} for name in ("invalid_values", "missing", "appeared")},
        **dict.fromkeys(("replaced_characters", "unidentified", "removals_held"), 0),
    }
    assert counted == {**found_nothing, **STATS, "records_per_second": 6000.0}
    assert values["entities"]["labels"]["read"] == 1
    assert values["entities"]["labels"]["removed"] is None
    assert [file["file_name"] for file in values["files"]] == ["labels.gz"]
    assert (values["not_verified"], values["checks"]) == ([], [])


def test_a_report_names_what_was_not_verified_and_which_checks_failed(
    repository: PostgresMonthRepository,
) -> None:
    repository.record_checksums(JULY, {"labels.gz": FileChecksum(None, "a" * 64, 5)})
    failed = {"name": "placeholders", "passed": False, "value": 1234, "detail": "ids"}
    repository.record_checks(JULY, [failed, {**failed, "name": "others", "passed": True}])
    values = report(repository).as_dict()
    assert values["not_verified"] == ["labels.gz"]
    assert values["checks"][0] == failed
    text = report(repository).as_text()
    assert "Not verified, as no CHECKSUM.txt lists them: labels.gz" in text
    assert "Check failed: placeholders: 1,234 ids" in text
    assert "others" not in text
    # What is planned next has not been checked.
    repository.record_published(JULY, None, {})
    assert report(repository).checks == ()


def test_an_entitys_report_is_a_line_for_a_log() -> None:
    assert str(EntityReport.from_dict(Entity.RELEASES, STATS)) == (
        "releases: 12,000 records read: 11,000 unchanged, 600 inserted, 390 updated, 3 removed,"
        " 0 restored, 10 rejected; 2.0 s"
    )


def test_the_text_holds_a_line_an_entity_in_the_order_of_the_merge(
    repository: PostgresMonthRepository,
) -> None:
    complete(repository)
    lines = report(repository).as_text().splitlines()
    assert lines[0].startswith("2026-07: completed, dump of 2026-07-01, ")
    assert lines[1].split()[:3] == ["entity", "read", "unchanged"]
    assert lines[2].split() == ["labels", "1"]
    assert lines[3].split() == [
        "releases", "12,000", "11,000", "600", "390", "3", "0", "10", "4.5", "2.0", "s", "6,000",
    ]  # fmt: skip
    assert "\x1b" not in report(repository).as_text()


def test_the_error_of_a_failed_month_is_printed_unchanged(
    repository: PostgresMonthRepository,
) -> None:
    repository.move(
        JULY, Status.FAILED, run=RUN, error_message="[red]not markup[/red] " + "x" * 200
    )
    text = report(repository).as_text()
    assert "2026-07: failed" in text
    assert "failed attempts: 1" in text
    assert "Failed: [red]not markup[/red] " + "x" * 200 in text


def test_printing_writes_no_colour_into_a_file(repository: PostgresMonthRepository) -> None:
    text = io.StringIO()
    report(repository).print(text)
    assert text.getvalue().startswith("2026-07: downloading")
    assert "\x1b" not in text.getvalue()
