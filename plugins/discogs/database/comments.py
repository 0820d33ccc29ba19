"""The comments of the tables and columns that hold the dump, from the mapping."""

from __future__ import annotations

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.views import EXTRA_COLUMNS, PREFIX
from discogs.schema import dictionary

_PRESENT = """
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
    c.relname, coalesce(a.attname, ''), coalesce(d.description, '')
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
    wanted = _wanted()
    names = list({name for name, _ in wanted})
    written = 0
    for kind, table, column, present in conn.execute(_PRESENT, [schema, names]).fetchall():
        comment = wanted.get((table, column))
        if comment is None or comment == present:
            continue
        conn.execute(
            sql.SQL("COMMENT ON {} {} IS {}").format(
                sql.SQL("COLUMN" if column else kind),
                sql.Identifier(schema, table, *([column] if column else [])),
                sql.Literal(comment),
            )
        )
        written += 1
    return written


def _wanted() -> dict[tuple[str, str], str]:
    """The comments by table and column; the column of a table's own is empty."""
    wanted = {}
    for table in dictionary.tables():
        view = PREFIX + table.name
        wanted[table.name, ""] = table.comment
        wanted[view, ""] = f"{table.about}; live records only"
        wanted |= {(view, name): about for name, about in EXTRA_COLUMNS.items()}
        for column in table.columns:
            wanted[table.name, column.name] = wanted[view, column.name] = column.comment
    return wanted
