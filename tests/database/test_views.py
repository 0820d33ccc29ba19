"""The views of live records: their rows, and that they survive a first load."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import psycopg
import pytest

from discogs.database.connection import Connect
from discogs.database.views import write_views
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from tests.conftest import SCHEMA
from tests.dump_files import write_dump
from tests.load.conftest import load

pytestmark = pytest.mark.slow

JUNE, JULY = Month(2026, 6), Month(2026, 7)
ONE = (
    '<release id="1"><title>One</title><released>1999-03-01</released><country>UK</country>'
    "<artists><artist><id>1</id><name>Duo (2)</name><anv>The Duo</anv><join>&amp;</join></artist>"
    "<artist><id>2</id><name>Singer (5)</name><join>,</join></artist></artists>"
    '<labels><label name="Top" catno="T 1" id="1"/>'
    '<label name="Other" catno="O 1" id="2"/></labels>'
    "<genres><genre>Rock</genre><genre>Jazz</genre></genres><styles><style>Bop</style></styles>"
    "<tracklist><track><position>A</position><title>First</title></track></tracklist></release>"
)
TWO = (
    '<release id="2"><title>Two</title><released>1999-03-00</released>'
    "<tracklist><track><position>1</position><title>Gone</title></track></tracklist></release>"
)


def dumps(folder: Path) -> Path:
    for month, releases in ((JUNE, [ONE, TWO]), (JULY, [ONE])):
        write_dump(folder, month, Entity.LABELS, "<label><id>1</id><name>Top</name></label>")
        write_dump(folder, month, Entity.ARTISTS, "<artist><id>1</id><name>Duo (2)</name></artist>")
        write_dump(folder, month, Entity.RELEASES, *releases)
    return folder


@pytest.fixture
def loaded(connect: Connect, database: str, tmp_path: Path) -> str:
    """Two months: the second lacks release 2."""
    for month in (JUNE, JULY):
        load(database, dumps(tmp_path), month)
    return database


def test_a_live_release_has_what_people_look_for(loaded: str, connect: Connect) -> None:
    with connect() as conn:
        rows = conn.execute(
            "SELECT id, title, artist, label, catno, country, released_date, genres, styles"
            " FROM live_releases"
        ).fetchall()
    assert rows == [
        (
            1,
            "One",
            "The Duo & Singer",
            "Top",
            "T 1",
            "UK",
            dt.date(1999, 3, 1),
            ["Rock", "Jazz"],
            ["Bop"],
        )
    ]


def test_removed_records_and_placeholders_are_left_out(loaded: str, connect: Connect) -> None:
    with connect() as conn:
        counts = {
            name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()
            for name in ("artists", "live_artists", "labels", "live_labels", "live_masters")
        }
        tracks = conn.execute("SELECT title FROM live_release_tracks").fetchall()
    assert counts == {
        "artists": (2,),  # and the placeholder of artist 2
        "live_artists": (1,),
        "labels": (2,),
        "live_labels": (1,),
        "live_masters": (0,),
    }
    assert tracks == [("First",)]


def test_every_child_table_has_a_view_with_its_columns(connect: Connect) -> None:
    with connect() as conn:
        assert write_views(conn, SCHEMA) == []
        for tables in TABLES.values():
            for table in tables.children:
                view = conn.execute(f"SELECT * FROM live_{table.name} WHERE false").description
                assert {column.name for column in view or ()} == set(table.names)
        conn.execute("ALTER TABLE release_tracks ADD COLUMN mood text")
        assert write_views(conn, SCHEMA) == ["live_release_tracks"]
        conn.execute("SELECT mood FROM live_release_tracks")


def test_a_first_load_swaps_tables_below_views_and_keeps_their_settings(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    with connect() as conn:
        conn.execute("CREATE VIEW public.mine AS SELECT id, upper(title) AS t FROM releases")
        conn.execute("CREATE VIEW public.over AS SELECT count(*) AS n FROM live_releases")
        conn.execute("CREATE VIEW public.safe WITH (security_barrier) AS SELECT id FROM artists")
        conn.execute("GRANT SELECT ON live_releases, public.mine TO public")
        conn.execute("COMMENT ON VIEW public.mine IS 'kept'")
    load(database, dumps(tmp_path), JUNE)
    with connect() as conn:
        swapped = conn.execute("SELECT DISTINCT report->'first_load' FROM entity_loads").fetchall()
        assert swapped == [(True,)]
        assert conn.execute("SELECT * FROM public.mine ORDER BY id").fetchall() == [
            (1, "ONE"),
            (2, "TWO"),
        ]
        assert conn.execute("SELECT n FROM public.over").fetchone() == (2,)
        assert conn.execute("SELECT id FROM public.safe ORDER BY id").fetchall() == [(1,), (2,)]
        options = conn.execute(
            "SELECT relname, reloptions FROM pg_class WHERE relname IN ('mine', 'safe') ORDER BY 1"
        ).fetchall()
        assert options == [("mine", None), ("safe", ["security_barrier=true"])]
        assert conn.execute("SELECT obj_description('public.mine'::regclass)").fetchone() == (
            "kept",
        )
        granted = "SELECT has_table_privilege('pg_monitor', %s, 'SELECT')"
        for view in ("live_releases", "public.mine"):
            assert conn.execute(granted, [view]).fetchone() == (True,)
    load(database, tmp_path, JULY)
    with connect() as conn:
        assert conn.execute("SELECT n FROM public.over").fetchone() == (1,)


def test_with_a_materialized_view_the_month_is_merged(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    with connect() as conn:
        conn.execute("CREATE MATERIALIZED VIEW public.kept AS SELECT id FROM releases")
    load(database, dumps(tmp_path), JUNE)
    with connect() as conn:
        conn.execute("REFRESH MATERIALIZED VIEW public.kept")
        assert conn.execute("SELECT count(*) FROM public.kept").fetchone() == (2,)


def test_a_look_up_by_id_scans_no_table(connect: Connect, database: str, tmp_path: Path) -> None:
    records = [
        f'<release id="{n}"><title>{n}</title><artists><artist><id>{n}</id><name>{n}</name>'
        f'</artist></artists><labels><label name="L" catno="{n}" id="1"/></labels>'
        f"<genres><genre>G{n % 7}</genre></genres><styles><style>S{n % 7}</style></styles>"
        f"<tracklist><track><title>T</title></track></tracklist></release>"
        for n in range(1, 3000)
    ]
    write_dump(tmp_path, JUNE, Entity.RELEASES, *records)
    load(database, tmp_path, JUNE)
    with psycopg.connect(database, options=f"-c search_path={SCHEMA}") as conn:
        for query in (
            "SELECT * FROM live_releases WHERE id = 7",
            "SELECT * FROM live_release_tracks WHERE release_id = 7",
        ):
            plan = "\n".join(row[0] for row in conn.execute(f"EXPLAIN {query}"))
            assert "Seq Scan on release" not in plan, plan
