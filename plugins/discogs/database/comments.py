"""The comments of the tables and columns that hold the dump, from the mapping."""

from __future__ import annotations

from psycopg import sql

from discogs.database.connection import Connection
from discogs.schema import dictionary

_PRESENT = """
SELECT c.relname, coalesce(a.attname, ''), coalesce(d.description, '')
FROM pg_class c
CROSS JOIN LATERAL (
    SELECT attname, attnum FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT NULL, 0
) AS a
LEFT JOIN pg_description d
    ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relname = ANY (%s)
"""


def write_comments(conn: Connection, schema: str) -> int:
    """Write the comments that are missing or differ from the mapping's; the caller commits.

    :returns: how many were written.
    """
    tables = {table.name: table for table in dictionary.tables()}
    wanted = {(name, ""): table.comment for name, table in tables.items()}
    for name, table in tables.items():
        wanted |= {(name, column.name): column.comment for column in table.columns}
    written = 0
    for table_name, column_name, present in conn.execute(_PRESENT, [schema, list(tables)]):
        comment = wanted.get((table_name, column_name))
        if comment is None or comment == present:
            continue
        names = [schema, table_name, *([column_name] if column_name else [])]
        conn.execute(
            sql.SQL("COMMENT ON {} {} IS {}").format(
                sql.SQL("COLUMN" if column_name else "TABLE"),
                sql.Identifier(*names),
                sql.Literal(comment),
            )
        )
        written += 1
    return written
