"""Loading with a filter: records that it leaves out are not marked as removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from discogs.database.connection import Connect, connector
from discogs.load.errors import DumpRefused
from discogs.load.folder import load_folder
from discogs.schema.entities import Entity, Month
from discogs.tracking.report import MonthReport
from tests.conftest import SCHEMA, new_database
from tests.content import digests
from tests.dump_files import write_dump
from tests.load.conftest import LENIENT, load, month_run

pytestmark = pytest.mark.slow

MAY, JUNE, JULY, AUGUST = (Month(2026, number) for number in (5, 6, 7, 8))
GERMAN = "releases:country=Germany"
Digests = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Release:
    """A release for tests."""

    number: int
    country: str = "Germany"
    title: str = "T"
    genre: str = "Jazz"
    style: str = "Bop"
    format: str = "Vinyl"
    quality: str = "Correct"
    master: int | None = 1

    def __str__(self) -> str:
        master = f'<master_id is_main_release="true">{self.master}</master_id>'
        return (
            f'<release id="{self.number}"><title>{self.title}</title>'
            f"<artists><artist><id>{self.number}</id><name>A</name></artist></artists>"
            f'<labels><label name="L" catno="1" id="{self.number}"/></labels>'
            f'<formats><format name="{self.format}" qty="1"/></formats>'
            f"<genres><genre>{self.genre}</genre></genres><styles><style>{self.style}</style>"
            f"</styles><country>{self.country}</country><released>1970</released>"
            f"<data_quality>{self.quality}</data_quality>{master if self.master else ''}</release>"
        )


R = Release


def months(folder: Path, **records: list[Release]) -> Path:
    for name, releases in records.items():
        month = {"may": MAY, "june": JUNE, "july": JULY, "august": AUGUST}[name]
        write_dump(folder, month, Entity.RELEASES, *map(str, releases))
    return folder


def filtered(
    dsn: str, folder: Path, month: Month, text: str = GERMAN, **options: Any
) -> MonthReport:
    return load_folder(
        connector(dsn, SCHEMA),
        folder,
        month,
        replace(LENIENT, filter=text, shards=options.pop("shards", 1)),
        run_id="test",
        **options,
    )


def rows(connect: Connect, query: str) -> list[tuple[Any, ...]]:
    with connect() as conn:
        return conn.execute(query.encode()).fetchall()


def releases(connect: Connect) -> dict[int, str | None]:
    """The stored releases, each with the month in which it was removed."""
    return dict(rows(connect, "SELECT id, removed_in FROM releases"))


def feed(connect: Connect, month: Month) -> set[tuple[int, str]]:
    query = f"SELECT id, change FROM entity_changes WHERE year_month = '{month}'"
    return set(rows(connect, query))


ALL = [R(1), R(2), R(3, country="France"), R(4, country="France")]


def test_a_record_that_ceases_to_match_the_filter_is_not_removed_and_can_be_restored(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    moved = [R(1), R(2, country="France"), R(3), R(4, country="France", title="New")]
    months(tmp_path, june=ALL, july=moved, august=[R(2), R(3)])
    filtered(database, tmp_path, JUNE)
    assert releases(connect) == {1: None, 2: None}
    report = filtered(database, tmp_path, JULY)
    (july,) = report.entities
    assert re.search(r"rejected +filtered +MB.*\nreleases .* 0 +2 +0\.0 ", report.as_text())
    assert (july.inserted, july.removed, july.filtered) == (1, 0, 2)
    # Of 3 an artist and a label; of 2 those, and the release itself.
    assert (july.placeholders_added, july.placeholders_dropped) == (2, 3)
    assert releases(connect) == {1: None, 3: None}
    assert feed(connect, JULY) == {(2, "filtered"), (3, "added")}
    assert rows(connect, "SELECT id FROM artists ORDER BY 1") == [(1,), (3,)]
    filtered(database, tmp_path, AUGUST)
    assert releases(connect) == {1: "2026-08", 2: None, 3: None}
    assert feed(connect, AUGUST) == {(1, "removed"), (2, "added")}
    # Loading a month again changes nothing.
    before = digests(database)
    filtered(database, tmp_path, AUGUST)
    assert digests(database) == before


@pytest.mark.parametrize(
    ("first", "then", "shards"),
    [(GERMAN, "releases:country=France", 3), (GERMAN, "", 1), ("", GERMAN, 1)],
)
def test_a_changed_filter_gives_the_same_tables_as_from_the_start(
    fresh: Callable[[], str], tmp_path: Path, first: str, then: str, shards: int
) -> None:
    records = [replace(r, genre="Rock") if r.number % 2 else r for r in ALL]
    months(tmp_path, june=records, july=[*records[:-1], replace(records[-1], title="New")])
    changed, straight = fresh(), fresh()
    filtered(changed, tmp_path, JUNE, first)
    report = filtered(changed, tmp_path, JULY, then, shards=shards)
    filtered(straight, tmp_path, JULY, then)
    assert digests(changed) == digests(straight)
    assert [entity.removed for entity in report.entities] == [0]


@pytest.mark.parametrize(
    "order", [(3, 2, 1, 0), (0, 2, 3, 1), (2, 3, 0, 1), (1, 3, 2, 0, 1)], ids=str
)
def test_the_months_may_come_in_any_order(
    fresh: Callable[[], str], tmp_path: Path, order: tuple[int, ...], in_order: tuple[Digests, Path]
) -> None:
    expected, folder = in_order
    dsn = fresh()
    for index in order:
        filtered(dsn, folder, (MAY, JUNE, JULY, AUGUST)[index])
    assert digests(dsn) == expected


@pytest.fixture(scope="module")
def in_order(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Digests, Path]:
    """Releases that appear, disappear, and start or cease to match the filter; the tables after
    each."""
    abroad = [replace(R(n), country="France") for n in range(10)]
    folder = months(
        tmp_path_factory.mktemp("months"),
        may=[R(1), R(2), R(3), R(4), abroad[5], R(7), abroad[8]],
        june=[abroad[1], abroad[2], R(3), abroad[4], R(5), abroad[6], abroad[7], R(8)],
        july=[R(1), abroad[3], R(5), R(6), abroad[8]],
        august=[R(1), abroad[3], R(4), abroad[5], R(9)],
    )
    with new_database(server, template=migrated_template) as dsn:
        for month in (MAY, JUNE, JULY, AUGUST):
            filtered(dsn, folder, month)
        return digests(dsn), folder


def test_a_record_that_others_refer_to_stays_as_a_placeholder(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    for month in (JUNE, JULY):
        write_dump(
            tmp_path,
            month,
            Entity.ARTISTS,
            "<artist><id>1</id><name>One</name><data_quality>Correct</data_quality>"
            "<urls><url>u</url></urls></artist>",
            "<artist><id>2</id><name>Two</name></artist>",
        )
    months(tmp_path, june=[R(1)], july=[R(1)])
    load(database, tmp_path, JUNE)
    filtered(database, tmp_path, JULY, "artists:data_quality!=*")
    assert rows(connect, "SELECT id, name, placeholder FROM artists ORDER BY id") == [
        (1, None, True),
        (2, "Two", False),
    ]
    assert rows(connect, "SELECT count(*) FROM artist_urls") == [(0,)]
    load(database, tmp_path, JULY)
    assert rows(connect, "SELECT id, name FROM artists ORDER BY id") == [(1, "One"), (2, "Two")]


def test_a_users_own_reference_keeps_its_row(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    months(tmp_path, june=ALL, july=ALL)
    load(database, tmp_path, JUNE)
    with connect() as conn:
        conn.execute("CREATE TABLE public.mine (release_id int REFERENCES releases)")
        conn.execute("INSERT INTO public.mine VALUES (3)")
    filtered(database, tmp_path, JULY)
    assert rows(connect, "SELECT id, placeholder FROM releases ORDER BY id") == [
        (1, False),
        (2, False),
        (3, True),
    ]


def test_a_filter_that_keeps_nothing_is_refused(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    months(tmp_path, june=ALL)
    with pytest.raises(DumpRefused, match="releases:country=germnay keeps, of 4: check"):
        filtered(database, tmp_path, JUNE, "releases:country=Germnay")
    filtered(database, tmp_path, JUNE, "releases:country=Germnay", allow_shrink=True)
    assert releases(connect) == {}


def test_the_shrink_guard_compares_dumps_and_not_what_the_filter_keeps(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    many = [R(n, country="France" if n > 5 else "Germany") for n in range(1, 101)]
    months(tmp_path, june=many, july=many, august=many[:20])
    load(database, tmp_path, JUNE)
    filtered(database, tmp_path, JULY)
    with pytest.raises(DumpRefused, match="80 fewer than 2026-07"):
        filtered(database, tmp_path, AUGUST)


def test_a_runs_own_filter_overrides_the_setting(connect: Connect) -> None:
    settings = replace(LENIENT, filter=GERMAN)
    assert month_run(connect, JUNE, settings).load_settings.filter == GERMAN
    own = month_run(connect, JUNE, settings, filter="releases:format=CD")
    assert own.load_settings.filter == "releases:format=CD"
    assert month_run(connect, JUNE, settings, filter="").load_settings.filter == ""
