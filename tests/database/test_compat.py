"""The views with the names of discogs-xml2db return what its own tables would."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from discogs.cli.migrate import COMPAT
from discogs.database.compat import SCHEMAS, write_compat
from discogs.database.connection import Connect, connector
from discogs.schema.dictionary import tables
from discogs.schema.entities import Entity, Month
from tests.conftest import PROJECT, SCHEMA, new_database
from tests.dump_files import write_dump
from tests.load.conftest import load
from tests.load.test_examples import GONE, RELEASE, artist, label

pytestmark = pytest.mark.slow

JUNE, JULY = Month(2026, 6), Month(2026, 7)
NAMES = (PROJECT / "docs" / "names.md").read_text()
#: discogs-xml2db 2: its tables and their columns, as its CREATE TABLE statements name them.
COLUMNS = {
    "artist": "id name realname profile data_quality",
    "artist_url": "id artist_id url",
    "artist_namevariation": "id artist_id name",
    "artist_alias": "artist_id alias_name alias_artist_id",
    "artist_image": "artist_id type width height",
    "group_member": "group_artist_id member_artist_id member_name",
    "label": "id name contact_info profile parent_id parent_name data_quality",
    "label_url": "id label_id url",
    "label_image": "label_id type width height",
    "master": "id title year main_release data_quality",
    "master_artist": "id master_id artist_id artist_name anv position join_string role",
    "master_video": "id master_id duration title description uri",
    "master_genre": "id master_id genre",
    "master_style": "id master_id style",
    "master_image": "master_id type width height",
    "release": "id title released country notes data_quality main master_id status",
    "release_artist": "id release_id artist_id artist_name extra anv position join_string"
    " role tracks",
    "release_label": "id release_id label_id label_name catno",
    "release_genre": "id release_id genre",
    "release_style": "release_id style",
    "release_format": "id release_id name qty text_string descriptions",
    "release_track": "id release_id sequence position parent title duration track_id",
    "release_track_artist": "id track_id release_id track_sequence artist_id artist_name extra anv"
    " position join_string role tracks",
    "release_identifier": "id release_id description type value",
    "release_video": "id release_id duration title description uri",
    "release_company": "id release_id company_id company_name entity_type entity_type_name uri",
    "release_image": "release_id type width height",
}


@pytest.fixture(scope="module")
def database(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The views are created before the first load, which must redirect them to its tables."""
    folder = tmp_path_factory.mktemp("compat")
    for month, releases in ((JUNE, [RELEASE, GONE]), (JULY, [RELEASE])):
        write_dump(folder, month, Entity.LABELS, label(1, "Top"))
        members = '<members><name id="2">Singer</name></members>'
        people = ((2, "Singer"), (3, "Engineer"))
        write_dump(
            folder,
            month,
            Entity.ARTISTS,
            artist(1, "Duo (2)", members),
            *(artist(n, name) for n, name in people),
        )
        write_dump(
            folder,
            month,
            Entity.MASTERS,
            '<master id="7"><title>One</title><main_release>1</main_release><year>1999</year>'
            "</master>",
        )
        write_dump(folder, month, Entity.RELEASES, *releases)
    with new_database(server, template=migrated_template) as dsn:
        assert write_compat(connector(dsn, SCHEMA), SCHEMA, "discogs-xml2db") == "discogs_xml2db"
        for month in (JUNE, JULY):
            load(dsn, folder, month)
        yield dsn


def ask(database: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database, options="-c search_path=discogs_xml2db") as conn:
        return conn.execute(query.encode()).fetchall()


def test_the_views_have_its_columns_in_its_order(database: str) -> None:
    rows = ask(
        database,
        "SELECT table_name, string_agg(column_name, ' ' ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'discogs_xml2db' GROUP BY 1",
    )
    assert dict(rows) == COLUMNS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT id, title, main, master_id FROM release", [(1, "One", 1, 7)]),
        (
            "SELECT artist_name, anv, join_string, position FROM release_artist"
            " WHERE release_id = 1 AND extra = 0 ORDER BY position",
            [("Duo (2)", "The Duo", "Feat.", 1), ("Singer", None, None, 2)],
        ),
        (
            "SELECT artist_name, role, tracks FROM release_artist WHERE extra = 1",
            [("Engineer", "Mixed By, Bass [Lead, Fretless]", "A1 to A3, B2")],
        ),
        (
            "SELECT m.title, m.year, r.country FROM master m"
            " JOIN release r ON r.id = m.main_release",
            [("One", 1999, "UK")],
        ),
        (
            "SELECT t.position, a.artist_name, a.extra FROM release_track t"
            " JOIN release_track_artist a ON a.track_id = t.track_id ORDER BY a.position",
            [("A1", "Duo (2)", False), ("A1", "Singer", False)],
        ),
        (
            "SELECT s.position, p.position FROM release_track s JOIN release_track p"
            " ON (p.release_id, p.sequence) = (s.release_id, s.parent)",
            [("B1a", "B1")],
        ),
        (
            "SELECT r.title, f.name, f.qty, f.descriptions FROM release r"
            " JOIN release_format f ON f.release_id = r.id",
            [("One", "Vinyl", 2, "LP; Album")],
        ),
        (
            "SELECT l.name, rl.catno, g.genre FROM label l"
            " JOIN release_label rl ON rl.label_id = l.id"
            " JOIN release_genre g ON g.release_id = rl.release_id",
            [("Top", "T 1", "Jazz")],
        ),
        (
            "SELECT g.name, gm.member_name FROM group_member gm"
            " JOIN artist g ON g.id = gm.group_artist_id",
            [("Duo (2)", "Singer")],
        ),
    ],
)
def test_a_query_written_for_discogs_xml2db(
    database: str, query: str, expected: list[tuple[object, ...]]
) -> None:
    assert ask(database, query) == expected


def test_computed_numbers_are_unique(database: str) -> None:
    for table, columns in COLUMNS.items():
        if columns.startswith("id "):
            assert ask(database, f"SELECT count(*) - count(DISTINCT id) FROM {table}") == [(0,)]


def test_making_the_views_again_changes_nothing(database: str) -> None:
    write_compat(connector(database, SCHEMA), SCHEMA, "discogs-xml2db")
    assert ask(database, "SELECT count(*) FROM release") == [(1,)]
    assert set(COMPAT) == set(SCHEMAS)


def test_the_page_of_names_has_all_their_tables_and_only_our_existing_ones(
    connect: Connect,
) -> None:
    theirs, kit = NAMES.split("## discogskit")
    named = {name for row in re.findall(r"^\| `(\w+)", theirs, re.MULTILINE) for name in [row]}
    assert named >= set(COLUMNS)
    ours = {table.name: {column.name for column in table.columns} for table in tables()}
    for text in (theirs, kit):
        for row in re.findall(r"^\| `.*\|$", text, re.MULTILINE):
            cell = row.split("|")[2]
            for name in re.findall(r"`([a-z_.]+)`", cell):
                table, _, column = name.partition(".")
                assert table in ours, row
                assert not column or column in ours[table], row
