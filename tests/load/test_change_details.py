"""The change feed has the columns that changed, and on request their old values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from discogs.database.connection import Connect
from discogs.schema.entities import Entity, Month
from tests.dump_files import write_dump
from tests.load.conftest import load

JUNE, JULY, AUGUST = Month(2026, 6), Month(2026, 7), Month(2026, 8)


def release(number: int, *, country: str = "UK", tracks: str = "One", notes: str = "") -> str:
    titles = "".join(f"<track><title>{title}</title></track>" for title in tracks.split())
    return (
        f'<release id="{number}"><title>T</title><country>{country}</country>{notes}'
        f"<tracklist>{titles}</tracklist></release>"
    )


def feed(connect: Connect, month: Month) -> dict[int, tuple[Any, ...]]:
    with connect() as conn:
        rows = conn.execute(
            "SELECT id, change, tables, columns, old_values FROM entity_changes"
            " WHERE year_month = %s",
            [str(month)],
        ).fetchall()
    return {row[0]: row[1:] for row in rows}


@pytest.fixture
def june(tmp_path: Path, database: str, connect: Connect) -> Path:
    write_dump(tmp_path, JUNE, Entity.RELEASES, *(release(n) for n in range(1, 9)))
    load(database, tmp_path, JUNE)
    return tmp_path


JULYS = (
    release(1),
    release(2, country="France"),
    release(3, tracks="Other"),
    release(4, tracks="One Two"),
    release(5, country="", tracks=""),
    release(6, notes="<notes> </notes>"),  # other bytes, the same rows
    release(7),
    release(9, notes="<genres><genre>Jazz</genre></genres>"),
)
WHAT = {
    2: ("changed", ["releases"], ["releases.country"]),
    3: ("changed", ["release_tracks"], ["release_tracks.title"]),
    4: ("changed", ["release_tracks"], None),
    5: ("changed", ["release_tracks", "releases"], ["releases.country"]),
    8: ("removed", None, None),
    9: ("added", None, None),
}


def test_the_feed_names_the_tables_and_columns_that_differ(
    june: Path, database: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    write_dump(june, JULY, Entity.RELEASES, *JULYS)
    caplog.set_level("INFO")
    report = load(database, june, JULY)
    assert "the change feed: 1 added, 4 changed, 1 removed, " in caplog.text
    assert feed(connect, JULY) == {n: (*what, None) for n, what in WHAT.items()}
    (releases,) = report.entities
    assert (releases.updated, releases.same) == (4, 1)
    with connect() as conn:
        rows = conn.execute(
            "SELECT id, country, array_agg(t.title ORDER BY seq) FROM releases"
            " LEFT JOIN release_tracks t ON release_id = id GROUP BY id ORDER BY id"
        ).fetchall()
        genres = conn.execute(
            "SELECT release_id, name FROM release_genres JOIN genres ON genre_id = id"
        ).fetchall()
    assert genres == [(9, "Jazz")]
    assert rows == [
        (1, "UK", ["One"]),
        (2, "France", ["One"]),
        (3, "UK", ["Other"]),
        (4, "UK", ["One", "Two"]),
        (5, None, [None]),
        (6, "UK", ["One"]),
        (7, "UK", ["One"]),
        (8, "UK", ["One"]),
        (9, "UK", ["One"]),
    ]
    # The same month again changes nothing.
    caplog.clear()
    load(database, june, JULY)
    assert "the change feed: nothing to change, " in caplog.text
    assert feed(connect, JULY) == {n: (*what, None) for n, what in WHAT.items()}


def test_old_values_are_stored_if_the_setting_is_on(
    june: Path, database: str, connect: Connect
) -> None:
    write_dump(june, JULY, Entity.RELEASES, *JULYS)
    load(database, june, JULY, old_values=True)
    found = feed(connect, JULY)
    assert {n: row[:3] for n, row in found.items()} == WHAT
    gone = {
        "seq": 1,
        "parent_seq": None,
        "position": None,
        "title": "One",
        "duration": None,
        "duration_seconds": None,
    }
    assert {n: row[3] for n, row in found.items() if row[3] is not None} == {
        2: {"releases": {"country": "UK"}},
        3: {"release_tracks": [{"seq": 1, "title": "One"}]},
        5: {"releases": {"country": "UK"}, "release_tracks": [gone]},
    }


def test_a_month_that_is_loaded_again_keeps_the_old_values_of_its_first_load(
    june: Path, database: str, connect: Connect
) -> None:
    for country, tracks in (("France", "One"), ("Spain", "Two")):
        records = [release(n, country=country, tracks=tracks) for n in range(1, 9)]
        write_dump(june, JULY, Entity.RELEASES, *records)
        load(database, june, JULY, old_values=True)
    assert feed(connect, JULY)[1] == (
        "changed",
        ["release_tracks", "releases"],
        ["release_tracks.title", "releases.country"],
        {"releases": {"country": "UK"}, "release_tracks": [{"seq": 1, "title": "One"}]},
    )


def test_the_change_of_a_restored_record_has_the_columns_that_differ(
    june: Path, database: str, connect: Connect
) -> None:
    write_dump(june, JULY, Entity.RELEASES, *(release(n) for n in range(1, 8)))
    write_dump(june, AUGUST, Entity.RELEASES, *(release(n, country=str(n)) for n in range(1, 9)))
    load(database, june, JULY)
    load(database, june, AUGUST)
    assert feed(connect, JULY) == {8: ("removed", None, None, None)}
    assert feed(connect, AUGUST)[8] == ("restored", ["releases"], ["releases.country"], None)
