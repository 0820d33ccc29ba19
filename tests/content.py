"""The content of the tables, as digests and rows to compare, without code of the package."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

#: Columns that are not content: which load wrote the row.
LEFT_OUT = {"dump_month", "fingerprint"}
TRACKING = {
    "discogs_data_processing",
    "discogs_data_processing_files",
    "entity_changes",
    "entity_loads",
    "filtered_records",
    "rejected_records",
    "schema_comments",
    "schema_migrations",
    "load_steps",
    "staged_shards",
}


def content_tables(conn: psycopg.Connection, schema: str = "discogs") -> list[str]:
    rows = conn.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", [schema]
    ).fetchall()
    return [name for (name,) in rows if name not in TRACKING]


def digests(dsn: str, schema: str = "discogs") -> dict[str, tuple[int, str]]:
    """The row count of each table, and a digest of its rows that does not depend on their order."""
    with psycopg.connect(dsn) as conn:
        return {name: digest(conn, name, schema) for name in content_tables(conn, schema)}


def digest(conn: psycopg.Connection, name: str, schema: str = "discogs") -> tuple[int, str]:
    columns = conn.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY column_name",
        [schema, name],
    ).fetchall()
    kept = [sql.Identifier(column) for (column,) in columns if column not in LEFT_OUT]
    row = conn.execute(
        sql.SQL(
            "SELECT count(*), md5(coalesce(string_agg(h, '' ORDER BY h), '')) FROM"
            " (SELECT md5(ROW({})::text) AS h FROM {}) t"
        ).format(sql.SQL(", ").join(kept), sql.Identifier(schema, name))
    ).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


def difference(dsn_a: str, dsn_b: str) -> list[str]:
    """The tables whose content differs between two databases."""
    a, b = digests(dsn_a), digests(dsn_b)
    return [
        f"{name}: {a.get(name)} and {b.get(name)}" for name in a | b if a.get(name) != b.get(name)
    ]


def staging_tables(dsn: str, schema: str = "discogs_staging") -> list[str]:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return [name for (name,) in rows]


def dump_file(folder: Path, entity: str, month: str) -> Path:
    (path,) = folder.glob(f"discogs_{month.replace('-', '')}??_{entity}.xml.gz")
    return path
