"""The comments of the dumps' tables and columns in the database, written from the mapping."""

from __future__ import annotations

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.views import EXTRA_COLUMNS, PREFIX
from discogs.schema import dictionary

_PRESENT = """
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
    c.relname, coalesce(a.attname, ''), coalesce(d.description, ''), w.comment
FROM pg_class c
CROSS JOIN LATERAL (
    SELECT attname, attnum FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT NULL, 0
) AS a
LEFT JOIN pg_description d
    ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
LEFT JOIN schema_comments w ON w.relation = c.relname AND w.attribute = coalesce(a.attname, '')
WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relname = ANY (%s)
"""

_RECORD = """
INSERT INTO schema_comments (relation, attribute, comment) VALUES (%s, %s, %s)
ON CONFLICT (relation, attribute) DO UPDATE SET comment = excluded.comment
"""


def write_comments(conn: Connection, schema: str) -> int:
    """Write the comments that are missing or from another version of the package; the caller
    commits. Comments that a user has written are kept.

    :returns: how many were written.
    """
    row = conn.execute("SELECT to_regclass('schema_comments') IS NULL").fetchone()
    if row is None or row[0]:  # migrated from another folder of migrations
        return 0
    wanted = _wanted()
    names = list({name for name, _ in wanted})
    written = 0
    for kind, table, column, present, ours in conn.execute(_PRESENT, [schema, names]).fetchall():
        comment = wanted.get((table, column))
        if comment is None or comment == present == ours:
            continue
        if present and present not in (ours, comment) and ours is not None:
            continue  # written by a user
        conn.execute(
            sql.SQL("COMMENT ON {} {} IS {}").format(
                sql.SQL("COLUMN" if column else kind),
                sql.Identifier(schema, table, *([column] if column else [])),
                sql.Literal(comment),
            )
        )
        conn.execute(_RECORD, [table, column, comment])
        written += 1
    return written


def _wanted() -> dict[tuple[str, str], str]:
    """The comments by table and column; the column is empty for the comment of a table itself."""
    wanted = {}
    for table in dictionary.tables():
        view = PREFIX + table.name
        wanted[table.name, ""] = table.comment
        wanted[view, ""] = f"{table.about}; live records only"
        wanted |= {(view, name): about for name, about in EXTRA_COLUMNS.items()}
        for column in table.columns:
            wanted[table.name, column.name] = wanted[view, column.name] = column.comment
    return wanted
