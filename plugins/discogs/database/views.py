"""The views of the live records' child rows, such as ``live_release_tracks``.

The views of the four root tables are written in the migrations.
"""

from __future__ import annotations

from psycopg import sql

from discogs.database.connection import Connection
from discogs.schema.mapping import TABLES
from discogs.schema.tables import EntityTables, Table

PREFIX = "live_"
#: The columns that the views of the root tables have besides those of the tables.
EXTRA_COLUMNS = {
    "artist": "the artists as people write them: name variations, and the phrases that join them",
    "label": "name of the first label",
    "catno": "catalogue number on the first label",
    "genres": "names of the genres, in the record's order",
    "styles": "names of the styles, in the record's order",
    "released_date": "released as a date; NULL if it has no day",
}
_COLUMNS = """
SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
WHERE attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))
    AND attnum > 0 AND NOT attisdropped
"""


def write_views(conn: Connection, schema: str) -> list[str]:
    """Create the views that are missing or lack a column of their table; the caller commits.

    :returns: the names of the views that were created or replaced.
    """
    written = []
    for tables in TABLES.values():
        for table in tables.children:
            columns = _columns(conn, schema, table.name)
            name = PREFIX + table.name
            if columns and _columns(conn, schema, name) != columns:
                conn.execute(_view(schema, name, tables, table, columns))
                written.append(name)
    return written


def _columns(conn: Connection, schema: str, name: str) -> list[str] | None:
    row = conn.execute(_COLUMNS, [schema, name]).fetchone()
    return row[0] if row else None


def _view(
    schema: str, name: str, tables: EntityTables, table: Table, columns: list[str]
) -> sql.Composed:
    """The statement of a view: the child rows of live records. Placeholders have no child rows."""
    return sql.SQL(
        "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} c JOIN {} r ON r.id = c.{}"
        " WHERE r.removed_in IS NULL"
    ).format(
        sql.Identifier(schema, name),
        sql.SQL(", ").join(sql.Identifier("c", column) for column in columns),
        sql.Identifier(schema, table.name),
        sql.Identifier(schema, tables.root.name),
        sql.Identifier(table.key[0]),
    )
