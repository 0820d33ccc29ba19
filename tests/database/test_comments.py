"""Every table and column has a comment in the database."""

from __future__ import annotations

from discogs.database.comments import write_comments
from discogs.database.connection import Connect
from discogs.schema import dictionary
from discogs.schema.mapping import TABLES
from tests.conftest import SCHEMA

WITHOUT = """
SELECT c.relname || coalesce('.' || a.attname, '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relkind IN ('r', 'v', 'm')
  AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)
ORDER BY 1
"""


def test_every_table_and_column_has_a_comment(connect: Connect) -> None:
    with connect() as conn:
        assert [name for (name,) in conn.execute(WITHOUT, [SCHEMA])] == []


def test_a_comment_names_the_element_and_the_meaning(connect: Connect) -> None:
    with connect() as conn:
        row = conn.execute(
            "SELECT col_description('release_tracks'::regclass, attnum) FROM pg_attribute"
            " WHERE attrelid = 'release_tracks'::regclass AND attname = 'duration'"
        ).fetchone()
    assert row == ("duration as printed, such as 4:45 (XML: release/tracklist/track/duration)",)


def test_comments_are_written_once_and_again_when_they_are_gone(connect: Connect) -> None:
    with connect() as conn:
        assert write_comments(conn, SCHEMA) == 0
        conn.execute("COMMENT ON COLUMN releases.title IS NULL")
        assert write_comments(conn, SCHEMA) == 1


def test_a_users_own_comment_stays_and_an_older_versions_does_not(connect: Connect) -> None:
    with connect() as conn:
        conn.execute("COMMENT ON TABLE releases IS 'mine'")
        conn.execute("COMMENT ON COLUMN live_releases.title IS 'mine too'")
        conn.execute("COMMENT ON COLUMN releases.country IS 'older words'")
        conn.execute(
            "UPDATE schema_comments SET comment = 'older words'"
            " WHERE (relation, attribute) = ('releases', 'country')"
        )
        assert write_comments(conn, SCHEMA) == 1
        found = conn.execute(
            "SELECT obj_description('releases'::regclass),"
            " col_description('live_releases'::regclass, 2)"
        ).fetchone()
    assert found == ("mine", "mine too")


def test_the_dictionary_has_every_table_of_the_mapping_with_its_columns(connect: Connect) -> None:
    described = {table.name: table for table in dictionary.tables()}
    for tables in TABLES.values():
        for table in tables.all:
            assert {column.name for column in described[table.name].columns} >= set(table.names)
            assert described[table.name].key == table.key
    with connect() as conn:
        rows = conn.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = ANY (%s)",
            [SCHEMA, list(described)],
        ).fetchall()
    found = {(table.name, c.name): c.type for table in described.values() for c in table.columns}
    assert {(table, column): found[table, column] for table, column, _ in rows} == {
        (table, column): "text[]" if kind == "ARRAY" else kind for table, column, kind in rows
    }
