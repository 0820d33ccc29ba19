"""Fields and lists that disappear from the dumps, or appear in them, are in the month's report."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from discogs.schema.entities import Entity, Month
from discogs.tracking.report import EntityReport
from tests.load.conftest import load

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]

MONTHS = [Month(2024, 11).plus(number) for number in range(4)]
IMAGES = '<images><image height="6" type="primary" uri="" uri150="" width="6"/></images>'


def release(number: int, *, older: bool, more: str = "") -> str:
    status, images = (' status="Accepted"', IMAGES) if older else ("", "")
    return f'<release id="{number}"{status}>{images}<title>T</title>{more}</release>'


def artist(number: int, inner: str = "") -> str:
    return f"<artist><id>{number}</id><name>A</name>{inner}</artist>"


def loaded(
    dsn: str, folder: Path, month: Month, entity: Entity, records: list[str]
) -> EntityReport:
    path = folder / f"discogs_{month.first_day:%Y%m%d}_{entity}.xml.gz"
    text = "\n".join([f"<{entity}>", *records, f"</{entity}>\n"])
    path.write_bytes(gzip.compress(text.encode()))
    (report,) = load(dsn, folder, month).entities
    path.unlink()
    return report


@pytest.mark.parametrize("shards", [1, 2])
def test_fields_that_disappear_or_appear_are_reported_once(
    fresh: Fresh, tmp_path: Path, caplog: pytest.LogCaptureFixture, shards: int
) -> None:
    dsn = fresh()

    def month(at: int, *records: str) -> EntityReport:
        return loaded(dsn, tmp_path, MONTHS[at], Entity.RELEASES, list(records))

    series = '<series><series id="0" name="S" catno=""/></series>'
    older = [release(n, older=True) for n in range(1, 4)]
    newer = [release(1, older=False, more=series), release(2, older=False), release(3, older=False)]
    first = month(0, *older)
    assert (first.missing, first.appeared) == ({}, {})
    with caplog.at_level(logging.WARNING, "discogs"):
        second = month(1, *newer)
    assert second.missing == {"release/@status": 3, "release/images/image": 3}
    assert second.appeared == {"release/series/series": 1}
    assert "The dump of releases lacks: release/@status (3), release/images/image" in caplog.text
    assert "no longer in the dump (number before): release/@status (3)" in " ".join(second.remarks)
    again = month(1, *newer)
    assert (again.missing, again.appeared) == (second.missing, second.appeared)
    third = month(2, *newer)
    assert (third.unchanged, third.missing, third.appeared) == (3, {}, {})


def test_fields_that_only_unchanged_records_have_are_not_missing(
    fresh: Fresh, tmp_path: Path
) -> None:
    dsn = fresh()
    urls = "<urls><url>u</url></urls>"
    records = [artist(n, urls if n % 2 else "") for n in range(1, 201)]
    loaded(dsn, tmp_path, MONTHS[0], Entity.ARTISTS, records)
    changed = [*records[:100], *(artist(n, "<profile>P</profile>") for n in range(101, 201))]
    second = loaded(dsn, tmp_path, MONTHS[1], Entity.ARTISTS, changed)
    assert (second.unchanged, second.updated) == (100, 100)
    assert (second.missing, second.appeared) == ({}, {"artist/profile": 100})
    third = loaded(
        dsn,
        tmp_path,
        MONTHS[2],
        Entity.ARTISTS,
        [artist(n, "<profile>P</profile>") for n in range(1, 201)],
    )
    assert (third.unchanged, third.missing) == (100, {"artist/urls/url": 50})


def test_an_older_month_is_not_compared(fresh: Fresh, tmp_path: Path) -> None:
    dsn = fresh()
    loaded(dsn, tmp_path, MONTHS[1], Entity.ARTISTS, [artist(1)])
    older = loaded(dsn, tmp_path, MONTHS[0], Entity.ARTISTS, [artist(1), artist(2, IMAGES)])
    assert (older.missing, older.appeared) == ({}, {})
