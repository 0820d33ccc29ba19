"""A first load keeps everything that users have set on the empty tables."""

from __future__ import annotations

import logging
from pathlib import Path

import psycopg
import pytest

from discogs.database.connection import Connect
from discogs.load.errors import NotStaged
from discogs.load.merge import merge
from discogs.schema.entities import Entity
from tests.dump_files import write_dump
from tests.load.conftest import FIRST, LENIENT, load

RELEASE = (
    '<release id="1"><title>One</title>'
    '<labels><label name="Top" catno="T 1" id="1"/></labels></release>'
)
LABEL = "<label><id>2</id><name>Two</name><parentLabel id='3'>Three</parentLabel></label>"

#: Settings that are copied to the new tables. The role pg_monitor exists in every database.
KEPT = {
    "grant": "GRANT SELECT ON discogs.labels TO pg_monitor WITH GRANT OPTION",
    "grant to all": "GRANT SELECT ON discogs.label_urls TO PUBLIC",
    "grant on a column": "GRANT SELECT (id, name) ON discogs.labels TO pg_monitor",
    "default privileges since": "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO pg_monitor",
    "comment on an index": "COMMENT ON INDEX discogs.labels_parent_id_idx IS 'it''s mine'",
    "comment on a key": "COMMENT ON CONSTRAINT labels_pkey ON discogs.labels IS 'mine'",
    "storage parameter": "ALTER TABLE discogs.labels SET"
    " (autovacuum_vacuum_scale_factor = 0.01, autovacuum_enabled = false)",
    "storage parameter of TOAST": "ALTER TABLE discogs.labels SET (toast.autovacuum_enabled = off)",
    "statistics target": "ALTER TABLE discogs.labels ALTER COLUMN name SET STATISTICS 500",
    "statistics target of an index": "CREATE INDEX mine ON discogs.labels (lower(data_quality));"
    " ALTER INDEX discogs.mine ALTER COLUMN 1 SET STATISTICS 500",
    "distinct values": "ALTER TABLE discogs.labels ALTER COLUMN data_quality SET (n_distinct = 5)",
    "storage of a column": "ALTER TABLE discogs.labels ALTER COLUMN profile SET STORAGE EXTERNAL",
    "compression": "ALTER TABLE discogs.labels ALTER COLUMN profile SET COMPRESSION pglz",
    "replica identity": "ALTER TABLE discogs.labels REPLICA IDENTITY FULL",
    "no replica identity": "ALTER TABLE discogs.labels REPLICA IDENTITY NOTHING",
    "replica identity by index": "CREATE UNIQUE INDEX mine ON discogs.labels (id, placeholder);"
    " ALTER TABLE discogs.labels REPLICA IDENTITY USING INDEX mine",
    "cluster": "ALTER TABLE discogs.labels CLUSTER ON labels_parent_id_idx",
    "index": "CREATE INDEX mine ON discogs.labels USING hash (name) WITH (fillfactor = 50)",
    "check": "ALTER TABLE discogs.labels ADD CONSTRAINT mine CHECK (id > 0)",
    "column": "ALTER TABLE discogs.labels ADD COLUMN mine text DEFAULT 'none'",
}
#: Objects and settings that prevent the swap, and their names in the log.
MERGED = {
    "trigger": (
        "CREATE TRIGGER mine BEFORE TRUNCATE ON discogs.labels"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger mine on table labels",
    ),
    "policy": ("CREATE POLICY mine ON discogs.labels", "policy mine on table labels"),
    "row-level security": (
        "ALTER TABLE discogs.labels FORCE ROW LEVEL SECURITY",
        "row-level security of table labels",
    ),
    "publication": ("CREATE PUBLICATION mine FOR TABLE discogs.labels", "publication mine"),
    "publication of all": ("CREATE PUBLICATION mine FOR ALL TABLES", "publication mine"),
    "publication of the schema": (
        "CREATE PUBLICATION mine FOR TABLES IN SCHEMA discogs",
        "publication mine",
    ),
    "reference of a user's table": (
        "CREATE TABLE discogs.label_notes (label_id integer REFERENCES discogs.labels)",
        "constraint label_notes_label_id_fkey on table label_notes",
    ),
    "reference to a user's table": (
        "CREATE TABLE public.mine (id integer PRIMARY KEY); ALTER TABLE discogs.labels"
        " ADD COLUMN mine integer, ADD CONSTRAINT mine FOREIGN KEY (mine) REFERENCES public.mine",
        "constraint mine on table labels",
    ),
    "exclusion constraint": (
        "ALTER TABLE discogs.labels ADD CONSTRAINT mine EXCLUDE USING hash (name WITH =)",
        "constraint mine on table labels",
    ),
    "deferrable key": (
        "ALTER TABLE discogs.labels ADD CONSTRAINT mine UNIQUE (id, placeholder) DEFERRABLE",
        "constraint mine on table labels",
    ),
    "extended statistics": (
        "CREATE STATISTICS public.mine ON name, data_quality FROM discogs.labels",
        "statistics object public.mine",
    ),
    "sequence": (
        "CREATE SEQUENCE discogs.mine OWNED BY discogs.labels.id",
        "sequence mine",
    ),
    "identity": (
        "ALTER TABLE discogs.labels ADD COLUMN mine bigint GENERATED ALWAYS AS IDENTITY",
        "sequence labels_mine_seq",
    ),
    "child": ("CREATE TABLE public.mine () INHERITS (discogs.labels)", "table public.mine"),
    "parent": (
        "CREATE TABLE public.mine (id integer NOT NULL);"
        " ALTER TABLE discogs.labels INHERIT public.mine",
        "parent of table labels",
    ),
    "materialized view": (
        "CREATE MATERIALIZED VIEW public.mine AS SELECT id FROM discogs.labels",
        "rule _RETURN on materialized view public.mine",
    ),
    "view of whole rows": (
        "CREATE VIEW public.mine AS SELECT l FROM discogs.labels l",
        "column l of view public.mine",
    ),
    "function that names the table": (
        "CREATE FUNCTION public.mine() RETURNS bigint"
        " BEGIN ATOMIC SELECT count(*) FROM discogs.labels; END",
        "function public.mine()",
    ),
    "function of a row": (
        "CREATE FUNCTION public.mine(discogs.labels) RETURNS integer LANGUAGE sql RETURN $1.id",
        "function public.mine(labels)",
    ),
    "column of rows": (
        "CREATE TABLE public.mine (labels discogs.labels[])",
        "column labels of table public.mine",
    ),
    "owner": (
        "GRANT USAGE ON SCHEMA discogs TO pg_monitor;"
        " ALTER TABLE discogs.labels OWNER TO pg_monitor",
        "owner pg_monitor of table labels",
    ),
    "security label": (
        "SET allow_system_table_mods TO on; INSERT INTO pg_seclabel"
        " VALUES ('discogs.labels'::regclass, 'pg_class'::regclass, 0, 'mine', 'secret')",
        "security label of table labels",
    ),
    "unlogged": (
        "ALTER TABLE discogs.label_images SET UNLOGGED",
        "being unlogged of table label_images",
    ),
    "fillfactor": (
        "ALTER TABLE discogs.labels SET (fillfactor = 70)",
        "fillfactor or toast_tuple_target of table labels",
    ),
}

_SETTINGS = (
    "SELECT c.relname, coalesce(c.relacl, acldefault('r', c.relowner))::text,"
    "  c.reloptions, t.reloptions, c.relreplident,"
    "  obj_description(c.oid, 'pg_class') FROM pg_class c LEFT JOIN pg_class t"
    "  ON t.oid = c.reltoastrelid WHERE c.relnamespace = 'discogs'::regnamespace",
    "SELECT attrelid::regclass::text, attname, attacl::text, attstattarget,"
    "  (SELECT array_agg(o) FROM unnest(attoptions) o WHERE o NOT LIKE 'pg!_%' ESCAPE '!'),"
    "  attstorage, attcompression, col_description(attrelid, attnum),"
    "  pg_get_expr(d.adbin, d.adrelid)"
    "  FROM pg_attribute a LEFT JOIN pg_attrdef d ON (adrelid, adnum) = (attrelid, attnum)"
    "  WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'discogs'::regnamespace)"
    "  AND attnum > 0",
    "SELECT pg_get_indexdef(indexrelid), indisreplident, indisclustered FROM pg_index"
    "  WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'discogs'::regnamespace)",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid),"
    "  obj_description(oid, 'pg_constraint')"
    "  FROM pg_constraint WHERE connamespace = 'discogs'::regnamespace",
)


def settings(dsn: str) -> list[list[str]]:
    """Everything in the system catalogs about the tables."""
    with psycopg.connect(dsn) as conn:
        return [sorted(map(repr, conn.execute(query))) for query in _SETTINGS]


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    write_dump(tmp_path, FIRST, Entity.LABELS, LABEL)
    write_dump(tmp_path, FIRST, Entity.RELEASES, RELEASE)
    return tmp_path


@pytest.mark.parametrize("name", KEPT)
def test_what_is_set_on_the_tables_is_kept(
    database: str, connect: Connect, dumps: Path, name: str
) -> None:
    usual = settings(database)
    with psycopg.connect(database) as conn:
        conn.execute(KEPT[name])
    before = settings(database)
    assert (before != usual) == (name != "default privileges since")
    report = load(database, dumps, FIRST)
    assert all(entity.first_load for entity in report.entities)
    assert settings(database) == before


def test_column_options_that_only_the_server_sets_are_not_copied(
    database: str, connect: Connect, dumps: Path
) -> None:
    with psycopg.connect(database) as conn:
        # As the minor releases of November 2026 do, each with a value for every table.
        conn.execute(
            "UPDATE pg_attribute SET attoptions = '{pg_attver=1,n_distinct=5}'"
            " WHERE attrelid = 'discogs.labels'::regclass AND attname = 'name'"
        )
    labels, _ = load(database, dumps, FIRST).entities
    assert labels.first_load
    with psycopg.connect(database) as conn:
        found = conn.execute(
            "SELECT attoptions FROM pg_attribute"
            " WHERE attrelid = 'discogs.labels'::regclass AND attname = 'name'"
        ).fetchone()
    assert found is not None
    assert "n_distinct=5" in found[0]
    assert "pg_attver=1" not in found[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", MERGED)
def test_what_a_swap_would_lose_makes_it_a_merge(
    database: str, connect: Connect, dumps: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    statement, told = MERGED[name]
    with psycopg.connect(database) as conn:
        conn.execute(statement)
    before = settings(database)
    with caplog.at_level(logging.INFO, "discogs"):
        labels, releases = load(database, dumps, FIRST).entities
    assert not labels.first_load
    assert releases.first_load == (name not in {"publication of all", "publication of the schema"})
    assert settings(database) == before
    assert (
        f"labels is merged row by row, which is slower than swapping its tables in, in order to"
        f" keep: {told}" in caplog.text
    )
    assert (labels.placeholders_added, releases.placeholders_added) == (1, 1)


def test_a_first_load_counts_the_placeholders_that_it_makes(
    database: str, connect: Connect, dumps: Path
) -> None:
    labels, releases = load(database, dumps, FIRST).entities
    assert labels.first_load
    assert releases.first_load
    # Label 3 is the parent of label 2, and label 1 is a release's.
    assert (labels.placeholders_added, releases.placeholders_added) == (1, 1)


def test_a_merge_that_is_repeated_returns_the_report_and_one_without_staged_rows_is_an_error(
    database: str, connect: Connect, dumps: Path
) -> None:
    labels, _ = load(database, dumps, FIRST).entities

    again = merge(connect, entity=Entity.LABELS, month=FIRST, settings=LENIENT)

    assert again.as_dict() == labels.as_dict()
    with pytest.raises(NotStaged):
        merge(connect, entity=Entity.MASTERS, month=FIRST, settings=LENIENT)
