"""The effect of rejected records on their rows from earlier months."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from discogs.schema.entities import Month
from tests.content import digests
from tests.load.conftest import load
from tests.load.defects import good, releases

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]

MAY, JUNE, JULY = Month(2026, 5), Month(2026, 6), Month(2026, 7)
BROKEN = b'<release id="%d"><title>Broken</titel></release>'
NO_ID = b'<release status="A&nope;" id=5><title>Broken</title></release>'


def write(folder: Path, month: Month, *records: bytes) -> None:
    path = folder / f"discogs_{month.first_day:%Y%m%d}_releases.xml.gz"
    path.write_bytes(gzip.compress(releases(*records)))


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query).fetchall()


def removed(dsn: str) -> dict[int, tuple[str, str]]:
    found = rows(
        dsn,
        "SELECT id, removed_in, last_seen FROM discogs.releases WHERE removed_in IS NOT NULL",
    )
    return {number: (since, seen) for number, since, seen in found}


def feed(dsn: str, month: Month) -> dict[int, str]:
    query = f"SELECT id, change FROM discogs.entity_changes WHERE year_month = '{month}'"
    return dict(rows(dsn, query))


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("odd", [NO_ID, b"<title>Lost</title>", b"<releas id='5'/>"])
def test_nothing_is_removed_that_may_be_a_record_without_a_readable_id(
    fresh: Fresh, tmp_path: Path, odd: bytes, shards: int
) -> None:
    dsn = fresh()
    write(tmp_path, MAY, *map(good, range(1, 10)))
    write(tmp_path, JUNE, *map(good, (1, 2, 3, 4)), odd, *map(good, (7, 8, 9, 10)))
    write(tmp_path, JULY, *map(good, (1, 2, 3, 4, 6, 7, 8, 9, 10)))
    load(dsn, tmp_path, MAY)
    report = load(dsn, tmp_path, JUNE, shards=shards)
    (june,) = report.entities
    assert (june.removed, june.inserted, june.rejected) == (0, 1, 1)
    assert (june.removals_held, june.unidentified) == (2, 1)
    assert "none marked as removed, though the dump lacks 2" in report.as_text()
    assert removed(dsn) == {}
    (july,) = load(dsn, tmp_path, JULY).entities
    assert (july.removed, july.removals_held) == (1, 0)
    assert removed(dsn) == {5: ("2026-07", "2026-06")}
    assert feed(dsn, JUNE) == {10: "added"}


@pytest.mark.parametrize("number", ["0", "2147483648", "-3"])
def test_a_rejected_record_with_an_invalid_id_does_not_prevent_removals(
    fresh: Fresh, tmp_path: Path, number: str
) -> None:
    dsn = fresh()
    write(tmp_path, MAY, good(1), good(2))
    write(tmp_path, JULY, good(1), f'<release id="{number}"><title/></release>'.encode())
    load(dsn, tmp_path, MAY)
    (july,) = load(dsn, tmp_path, JULY).entities
    assert (july.removed, july.rejected, july.removals_held) == (1, 1, 0)
    assert removed(dsn) == {2: ("2026-07", "2026-05")}


def test_a_record_that_the_first_month_lacks_when_loaded_again_was_last_seen_before_it(
    fresh: Fresh, tmp_path: Path
) -> None:
    dsn = fresh()
    for records in ((1, 2), (1,)):
        write(tmp_path, MAY, *map(good, records))
        load(dsn, tmp_path, MAY)
    assert removed(dsn) == {2: ("2026-05", "2026-04")}


def test_a_backfilled_month_does_not_take_such_a_month_for_the_end_of_a_record(
    fresh: Fresh, tmp_path: Path
) -> None:
    """The same tables, whichever month comes first."""
    write(tmp_path, MAY, *map(good, range(1, 6)))
    write(tmp_path, JUNE, *map(good, (1, 2, 3)), NO_ID)
    in_order, backwards = fresh(), fresh()
    for month in (MAY, JUNE):
        load(in_order, tmp_path, month)
    for month in (JUNE, MAY):
        load(backwards, tmp_path, month)
    assert removed(in_order) == removed(backwards) == {}
    assert digests(in_order) == digests(backwards)


@pytest.mark.parametrize("how", [{}, {"shards": 2, "engine": "careful"}])
def test_the_feed_names_rows_whose_record_could_not_be_read(
    fresh: Fresh, tmp_path: Path, how: dict[str, Any]
) -> None:
    dsn = fresh()
    write(tmp_path, MAY, *map(good, range(1, 6)))
    twice = b'<release id="4"><title>Another</title></release>'
    june = [good(1), BROKEN % 2, BROKEN % 7, good(3), good(4), twice, good(5)]
    write(tmp_path, JUNE, *june)
    load(dsn, tmp_path, MAY)
    for _ in range(2):
        load(dsn, tmp_path, JUNE, **how)
        assert feed(dsn, JUNE) == {2: "rejected"}
    assert rows(dsn, "SELECT title, dump_month FROM discogs.releases WHERE id = 2") == [
        ("Good", "2026-05")
    ]
    write(tmp_path, JUNE, *map(good, range(1, 6)))
    load(dsn, tmp_path, JUNE)
    assert feed(dsn, JUNE) == {}
