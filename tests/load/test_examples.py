"""The example queries: each is run on records that it is meant for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from discogs.schema.entities import Entity, Month
from tests.conftest import PROJECT, SCHEMA, new_database
from tests.dump_files import write_dump
from tests.load.conftest import load

pytestmark = pytest.mark.slow

EXAMPLES = PROJECT / "include" / "sql" / "examples"
JUNE, JULY, AUGUST = Month(2026, 6), Month(2026, 7), Month(2026, 8)


def artist(number: int, name: str, body: str = "") -> str:
    return f"<artist><id>{number}</id><name>{name}</name>{body}</artist>"


def label(number: int, name: str, parent: int | None = None) -> str:
    above = f'<parentLabel id="{parent}">above</parentLabel>' if parent else ""
    return f"<label><id>{number}</id><name>{name}</name>{above}</label>"


def credit(number: int, name: str, *, anv: str = "", join: str = "", role: str = "") -> str:
    return (
        f"<artist><id>{number}</id><name>{name}</name><anv>{anv}</anv><join>{join}</join>"
        f"<role>{role}</role></artist>"
    )


RELEASE = (
    '<release id="1"><title>One</title><country>UK</country><released>1999-03-01</released>'
    f"<artists>{credit(1, 'Duo (2)', anv='The Duo', join='Feat.')}{credit(2, 'Singer')}</artists>"
    '<labels><label name="Top" catno="T 1" id="1"/></labels>'
    "<extraartists>"
    "<artist><id>3</id><name>Engineer</name><role>Mixed By, Bass [Lead, Fretless]</role>"
    "<tracks>A1 to A3, B2</tracks></artist></extraartists>"
    '<formats><format name="Vinyl" qty="2"><descriptions><description>LP</description>'
    "<description>Album</description></descriptions></format></formats>"
    "<genres><genre>Jazz</genre></genres>"
    '<master_id is_main_release="true">7</master_id>'
    "<tracklist>"
    "<track><title>Side one</title></track>"
    "<track><position>A1</position><title>First</title><duration>3:00</duration>"
    "<artists>"
    f"{credit(1, 'Duo (2)', join='feat.')}{credit(2, 'Singer')}</artists></track>"
    "<track><position>A2</position><title>Second</title></track>"
    "<track><position>A3</position><title>Third</title></track>"
    "<track><position>B1</position><title>Fourth</title><sub_tracks>"
    "<track><position>B1a</position><title>Part</title></track></sub_tracks></track>"
    "<track><position>B2</position><title>Fifth</title></track>"
    "</tracklist></release>"
)
VERSION = (
    '<release id="2"><title>One</title><released>2005</released>'
    '<formats><format name="CD" qty="1"/></formats>'
    f"<artists>{credit(1, 'Duo (2)')}</artists>"
    '<master_id is_main_release="false">7</master_id></release>'
)
BY_ALIAS = f'<release id="3"><title>Other</title><artists>{credit(4, "Alias")}</artists></release>'
GONE = '<release id="4"><title>Gone</title></release>'


@pytest.fixture(scope="module")
def database(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Three months: release 4 is only in the first one; the third changes a country."""
    folder = tmp_path_factory.mktemp("examples")
    profile = "<profile>With [a2] and [l1], once [a=3].</profile>"
    aliases = '<aliases><name id="4">Alias</name></aliases>'
    for month, releases in ((JUNE, [RELEASE, VERSION, GONE]), (JULY, [RELEASE, VERSION, BY_ALIAS])):
        write_dump(
            folder, month, Entity.LABELS, label(1, "Top"), label(2, "Below", 1), label(3, "Deep", 2)
        )
        write_dump(
            folder,
            month,
            Entity.ARTISTS,
            artist(1, "Duo (2)", profile + aliases),
            *(artist(n, name) for n, name in ((2, "Singer"), (3, "Engineer"), (4, "Alias"))),
        )
        write_dump(folder, month, Entity.MASTERS, '<master id="7"><title>One</title></master>')
        write_dump(folder, month, Entity.RELEASES, *releases)
    write_dump(folder, AUGUST, Entity.RELEASES, RELEASE.replace("UK", "France"), VERSION, BY_ALIAS)
    with new_database(server, template=migrated_template) as dsn:
        for month in (JUNE, JULY, AUGUST):
            load(dsn, folder, month, old_values=True)
        yield dsn


def run(dsn: str, name: str, **given: object) -> list[tuple[Any, ...]]:
    """The result of a query, with psql's variables replaced."""
    text = (EXAMPLES / f"{name}.sql").read_text()
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    text = text.replace("%", "%%")
    text = re.sub(r"(?<!:):'?([a-z]+)'?", r"%(\1)s", text)
    with psycopg.connect(dsn, options=f"-c search_path={SCHEMA}") as conn:
        return conn.execute(text.encode(), given).fetchall()


def test_what_a_month_changed(database: str) -> None:
    assert run(database, "month_changes", month="2026-07") == [
        ("releases", "added", 1, 3, 3),
        ("releases", "removed", 1, 4, 4),
    ]
    assert run(database, "month_changes", month="2026-06") == []


def test_whose_country_a_month_changed(database: str) -> None:
    assert run(database, "country_changes", month="2026-08") == [(1, "One", "UK", "France")]
    assert run(database, "country_changes", month="2026-07") == []


def test_what_each_month_changed_for_an_artist(database: str) -> None:
    assert run(database, "artist_changes", artist=1) == [
        ("2026-08", "releases", 1, "One", "changed", ["releases.country"])
    ]
    assert [row[:5] for row in run(database, "artist_changes", artist=4)] == [
        ("2026-07", "releases", 3, "Other", "added")
    ]


def test_a_discography_goes_through_aliases(database: str) -> None:
    found = run(database, "discography", artist=1)
    assert [(row[2], row[6]) for row in found] == [(1, "artist"), (2, "artist"), (3, "alias")]


def test_credits_are_counted_by_role(database: str) -> None:
    assert run(database, "credits_of_artist", artist=3) == [
        ("Bass [Lead, Fretless]", 1, 0),
        ("Mixed By", 1, 0),
    ]


def test_tracks_that_feature_somebody(database: str) -> None:
    assert run(database, "features", artist=2) == [(1, "One", "A1", "First")]


def test_a_tree_of_labels(database: str) -> None:
    assert run(database, "label_tree", label=1) == [("Top", 1), ("  Below", 2), ("    Deep", 3)]


def test_the_versions_of_a_master(database: str) -> None:
    assert run(database, "master_versions", master=7) == [
        (1, "One", "France", "1999-03-01", "Top T 1", "2 Vinyl LP Album", True),
        (2, "One", None, "2005", None, "CD", False),
    ]


def test_vanished_records(database: str) -> None:
    assert run(database, "vanished", month="2026-07") == [("releases", 4, "Gone", "2026-06")]


def test_a_credit_as_written(database: str) -> None:
    assert run(database, "credit_as_written", release=1) == [("The Duo Feat. Singer",)]


def test_headings_tracks_and_sub_tracks(database: str) -> None:
    kinds = [(row[0], row[1]) for row in run(database, "tracklist", release=1)]
    assert kinds == [
        ("heading", None),
        ("track", "A1"),
        ("track", "A2"),
        ("track", "A3"),
        ("index track", "B1"),
        ("sub-track", "B1a"),
        ("track", "B2"),
    ]


def test_credits_are_expanded_over_the_tracks_that_they_name(database: str) -> None:
    found = run(database, "credits_by_track", release=1)
    assert [row[0] for row in found] == ["A1", "A2", "A3", "B2"]


def test_ids_in_a_profile_become_names(database: str) -> None:
    assert run(database, "profile_links", artist=1) == [
        ("a", 2, "Singer"),
        ("a", 3, "Engineer"),
        ("l", 1, "Top"),
    ]


def test_the_kinds_of_releases(database: str) -> None:
    assert run(database, "release_kinds") == [("other", 2), ("album", 1)]


def test_the_official_releases_of_an_artist(database: str) -> None:
    found = run(database, "official_releases", artist=1)
    assert found == [(1, "One", "1999-03-01"), (2, "One", "2005")]


def test_the_labels_of_a_genre(database: str) -> None:
    assert run(database, "labels_by_genre", genre="Jazz") == [(1, "Top", 1)]


def test_every_example_has_a_test() -> None:
    used = set(re.findall(r'run\(database, "([a-z_]+)"', Path(__file__).read_text()))
    assert used == {path.stem for path in EXAMPLES.glob("*.sql")}
