"""The search indexes: built on request, kept by every load, used by the documented queries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from discogs.database.connection import Connect, connector
from discogs.database.keys import KeySettings
from discogs.database.locking import advisory_lock, merge_lock
from discogs.database.migrations import migrate
from discogs.database.search import SearchBuilt, build_search, drop_search
from discogs.database.sql_files import read
from discogs.schema.entities import Entity, Month
from tests.conftest import PROJECT, SCHEMA, new_database
from tests.dump_files import write_dump
from tests.load.conftest import load
from tests.load.test_long_texts import LONG

pytestmark = pytest.mark.slow

JUNE, JULY = Month(2026, 6), Month(2026, 7)
KEYS = KeySettings(2, 16 << 20)
INDEXES = set(re.findall(r"CREATE INDEX (\w+)", read("search/indexes.sql")))
TRIGRAMS = set(re.findall(r"CREATE INDEX (\w+)", read("search/trigrams.template.sql")))
#: The blocks of SQL of the documentation, each with the index that it is there for.
QUERIES = re.findall(
    r"```sql\n-- (\w+)\n(.*?)```", (PROJECT / "docs" / "search.md").read_text(), re.DOTALL
)


def build(connect: Connect) -> SearchBuilt:
    return build_search(connect, SCHEMA, KEYS)


def valid(connect: Connect) -> set[str]:
    with connect() as conn:
        rows = conn.execute(
            "SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
            " WHERE c.relname LIKE 'search%%' AND x.indisvalid"
            " AND c.relnamespace = %s::regnamespace",
            [SCHEMA],
        ).fetchall()
    return {name for (name,) in rows}


def dumps(folder: Path, month: Month, records: int) -> None:
    numbers = range(1, records)
    write_dump(
        folder,
        month,
        Entity.LABELS,
        *(f"<label><id>{n}</id><name>Label {n}</name></label>" for n in numbers),
    )
    write_dump(
        folder,
        month,
        Entity.ARTISTS,
        *(
            f"<artist><id>{n}</id><name>Artist {n} Name</name><namevariations>"
            f"<name>A. {n}</name></namevariations></artist>"
            for n in numbers
        ),
    )
    write_dump(
        folder,
        month,
        Entity.MASTERS,
        *(f'<master id="{n}"><title>Master {n}</title></master>' for n in numbers),
    )
    write_dump(
        folder,
        month,
        Entity.RELEASES,
        *(
            f'<release id="{n}"><title>Release {n} of {month}</title>'
            f'<labels><label name="Label {n}" catno="SHVL {n}" id="{n}"/></labels>'
            "<identifiers>"
            f'<identifier type="Barcode" value="5 012394-{n:06d}"/></identifiers>'
            f"<tracklist><track><title>Track {n}</title></track></tracklist></release>"
            for n in numbers
        ),
    )


def test_the_indexes_are_built_on_request_once_and_dropped_again(connect: Connect) -> None:
    assert valid(connect) == set()
    built = build(connect)
    assert set(built.indexes) >= INDEXES
    assert valid(connect) == set(built.indexes)
    assert build(connect).indexes == ()
    assert set(drop_search(connect, SCHEMA)) == set(built.indexes)
    assert valid(connect) == set()


def test_a_first_load_and_an_update_keep_them_with_what_users_set(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    build(connect)
    before = valid(connect)
    with connect() as conn:
        conn.execute("GRANT SELECT (id, title) ON releases TO pg_monitor")
        conn.execute("ALTER TABLE releases ALTER COLUMN country SET STATISTICS 500")
        conn.execute("COMMENT ON INDEX search_barcode IS 'mine'")
    dumps(tmp_path, JUNE, 20)
    dumps(tmp_path, JULY, 20)
    for month in (JUNE, JULY):
        load(database, tmp_path, month)
        with connect() as conn:
            first = conn.execute(
                "SELECT bool_and((report->>'first_load')::boolean) FROM entity_loads"
                " WHERE year_month = %s",
                [str(month)],
            ).fetchone()
            assert first == (month == JUNE,)
            kept = conn.execute(
                "SELECT obj_description('search_barcode'::regclass),"
                " has_column_privilege('pg_monitor', 'releases', 'title', 'SELECT'),"
                " (SELECT attstattarget FROM pg_attribute WHERE attname = 'country'"
                "  AND attrelid = 'releases'::regclass)"
            ).fetchone()
        assert kept == ("mine", True, 500)
        assert valid(connect) == before


def test_texts_of_any_length_can_be_indexed(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    build(connect)
    text = LONG + "\U0001d11e" * 5000 + " ".join(LONG[n : n + 3000] for n in range(0, 9000, 3000))
    named = f"<id>1</id><name>{text}</name>"
    write_dump(tmp_path, JUNE, Entity.LABELS, f"<label>{named}</label>")
    variations = f"<namevariations><name>{text}</name></namevariations>"
    write_dump(tmp_path, JUNE, Entity.ARTISTS, f"<artist>{named}{variations}</artist>")
    write_dump(tmp_path, JUNE, Entity.MASTERS, f'<master id="1"><title>{text}</title></master>')
    write_dump(
        tmp_path,
        JUNE,
        Entity.RELEASES,
        f'<release id="1"><title>{text}</title><labels><label name="L" catno="{text}" id="1"/>'
        f'</labels><identifiers><identifier type="Barcode" value="{text}"/></identifiers>'
        f"<tracklist><track><title>{text}</title></track></tracklist></release>",
    )
    load(database, tmp_path, JUNE)
    assert valid(connect) >= INDEXES
    with connect() as conn:
        assert conn.execute("SELECT title = %s FROM releases", [text]).fetchone() == (True,)


def test_a_merge_that_is_under_way_is_waited_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discogs.database import search
    from discogs.database.errors import LockBusy

    monkeypatch.setattr(search, "_LOCK_SECONDS", 0.2)
    with connect() as conn, advisory_lock(conn, merge_lock(SCHEMA, Entity.RELEASES)):
        with pytest.raises(LockBusy, match="merge:discogs:releases"):
            build(connect)
        assert valid(connect) == set()
    assert set(build(connect).indexes) >= INDEXES


@pytest.fixture(scope="module")
def searched(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with search indexes, and enough rows for the planner to use them."""
    folder = tmp_path_factory.mktemp("searched")
    dumps(folder, JUNE, 4000)
    with new_database(server, template=migrated_template) as dsn:
        build(connector(dsn, SCHEMA))
        load(dsn, folder, JUNE)
        fill_feed(dsn)
        yield dsn


def fill_feed(dsn: str) -> None:
    with psycopg.connect(dsn, options=f"-c search_path={SCHEMA}", autocommit=True) as conn:
        conn.execute(
            "INSERT INTO entity_changes (year_month, entity, id, change)"
            " SELECT '2026-07', 'releases', n, 'changed' FROM generate_series(1, 4000) n"
        )
        conn.execute("ANALYZE entity_changes")


def plan(dsn: str, query: str, *, scans: str = "on") -> str:
    with psycopg.connect(dsn, options=f"-c search_path={SCHEMA},public") as conn:
        conn.execute(f"SET enable_seqscan TO {scans}")
        conn.execute(query.encode())
        return "\n".join(str(row[0]) for row in conn.execute(b"EXPLAIN " + query.encode()))


@pytest.mark.parametrize(("index", "query"), [query for query in QUERIES if query[0] in INDEXES])
def test_a_documented_query_uses_its_index(searched: str, index: str, query: str) -> None:
    assert index in plan(searched, query)


def test_every_index_is_in_the_documentation() -> None:
    text = (PROJECT / "docs" / "search.md").read_text()
    assert {name for name in INDEXES | TRIGRAMS if name not in text} == set()
    assert {index for index, _ in QUERIES} <= INDEXES | TRIGRAMS


def test_a_search_finds_other_spellings(searched: str) -> None:
    with psycopg.connect(searched, options=f"-c search_path={SCHEMA}") as conn:
        for condition in (
            "search_text(title) = search_text('release 7 OF 2026-06')",
            "search_text(title) ^@ search_text('RELEASE 7 o')",
            "search_words(title) @@ websearch_to_tsquery('simple', '7 release')",
            "id IN (SELECT release_id FROM release_identifiers WHERE type = 'Barcode'"
            " AND search_digits(value) = '5012394000007')",
            "id IN (SELECT release_id FROM release_labels"
            " WHERE search_code(catno) = search_code('shvl-7'))",
        ):
            found = conn.execute(f"SELECT id FROM live_releases WHERE {condition}").fetchall()
            assert found == [(7,)], condition


@pytest.fixture(scope="module")
def contrib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of an installed PostgreSQL that has the extension pg_trgm."""
    found = sorted(Path("/usr/share/postgresql").glob("*/extension/pg_trgm.control"))
    if not found:
        pytest.skip("no PostgreSQL with pg_trgm is installed (Debian: postgresql)")
    programs = Path("/usr/lib/postgresql") / found[-1].parts[4] / "bin"
    home = Path(tempfile.mkdtemp(prefix="discogs-trgm-", dir="/tmp"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(home, 65534, 65534)
    data, options = home / "data", f"-k {home} -c listen_addresses='' -c fsync=off"
    make = [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8"]
    control = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    try:
        subprocess.run([*as_user, *make], check=True, capture_output=True, cwd=home)
        log = ["-l", home / "log", "-o", options, "start"]
        subprocess.run([*control, *log], check=True, cwd=home, stdout=subprocess.DEVNULL)
        try:
            yield f"host={home} user=postgres dbname=postgres"
        finally:
            stop = ["-m", "immediate", "stop"]
            subprocess.run([*control, *stop], check=True, cwd=home, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(home)


def test_trigrams_are_indexed_if_the_extension_is_available(contrib: str, tmp_path: Path) -> None:
    connect = connector(contrib, SCHEMA)
    migrate(connect, SCHEMA)
    built = build(connect)
    assert built.lacking is None
    assert set(built.indexes) == INDEXES | TRIGRAMS
    dumps(tmp_path, JUNE, 4000)
    load(contrib, tmp_path, JUNE)
    fill_feed(contrib)
    assert valid(connect) == INDEXES | TRIGRAMS
    for index, query in QUERIES:
        # Reading few rows is faster than so many trigrams.
        assert index in plan(contrib, query, scans="off"), query


def test_without_the_extension_the_other_indexes_are_built_with_a_reason(connect: Connect) -> None:
    with connect() as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
        ).fetchone()
    if row != (0,):
        pytest.skip("the server has pg_trgm")
    built = build(connect)
    assert set(built.indexes) == INDEXES
    assert "no extension pg_trgm" in str(built.lacking)
