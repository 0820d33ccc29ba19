"""The rows that staged rows refer to: genres, styles and placeholders, added and deleted."""

from __future__ import annotations

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.sql_files import compose, read
from discogs.database.staging import NAMES, REFERENCED, Staging
from discogs.schema.entities import Entity
from discogs.schema.mapping import PLACEHOLDER_NAMES

_ROOTS = {str(entity) for entity in Entity}


def add_names(conn: Connection, staging: Staging) -> None:
    """Add the genres and styles that the staged rows use."""
    for names in staging.tables.names_tables:
        conn.execute(
            sql.SQL(
                # Two merges may add the same name at the same time.
                "INSERT INTO {} (id, name) SELECT DISTINCT id, name FROM {}"
                " WHERE kind = %(kind)s ON CONFLICT (id) DO NOTHING"
            ).format(sql.Identifier(staging.live_schema, names), staging.extra(NAMES)),
            {"kind": names},
        )


def add_placeholders(conn: Connection, staging: Staging, *, live: bool | None = None) -> int:
    """Add a placeholder for each id that staged rows refer to and that no record has.

    :param live: True for references to other entities only, added to their live tables; False for
        references within the entity only, added to its staged root table; None for all, added to
        the live tables.
    :returns: how many were added.
    """
    added = 0
    for target in staging.tables.record_references:
        own = target == staging.tables.root.name
        if live is not None and own is live:
            continue
        staged_root = staging.table(staging.tables.root)
        into = staged_root if live is False else sql.Identifier(staging.live_schema, target)
        # The entity's own staged records are inserted by the same merge.
        present = [into, staged_root] if own and live is None else [into]
        missing = [
            sql.SQL("NOT EXISTS (SELECT FROM {} t WHERE t.id = r.id)").format(table)
            for table in present
        ]
        cursor = conn.execute(
            compose(
                "merge/add_placeholders",
                target=into,
                referenced=staging.extra(REFERENCED),
                kind=sql.Literal(target),
                missing=sql.SQL(" AND ").join(missing),
            ),
        )
        added += cursor.rowcount
        names = PLACEHOLDER_NAMES.get(Entity(target))
        if names:
            _name_placeholders(conn, into, names)
    return added


def _name_placeholders(conn: Connection, table: sql.Identifier, names: dict[int, str]) -> None:
    conn.execute(
        sql.SQL(
            "UPDATE {} t SET name = k.name"
            " FROM unnest(%s::integer[], %s::text[]) AS k (id, name)"
            " WHERE t.id = k.id AND t.placeholder AND t.name IS DISTINCT FROM k.name"
        ).format(table),
        [list(names), list(names.values())],
    )


def drop_unused(conn: Connection, staging: Staging, *, root: bool = False) -> int:
    """Delete placeholders and names that no row refers to any more; foreign keys of users' tables
    count too.

    :param root: also delete placeholders of the entity itself, when its own tables do not refer to
        it.
    :returns: how many were deleted.
    """
    targets = {str(c.references) for table in staging.tables.all for c in table.references}
    targets |= {staging.tables.root.name} if root else set()
    dropped = 0
    for target in sorted(targets):
        users = conn.execute(
            read("merge/referring_columns.sql"),
            {
                "schema": staging.live_schema,
                "staging_schema": staging.schema,
                "table": target,
            },
        ).fetchall()
        unused: list[sql.Composable] = [
            sql.SQL("NOT EXISTS (SELECT FROM {} u WHERE u.{} = t.{})").format(
                sql.Identifier(schema, table), sql.Identifier(column), sql.Identifier(key)
            )
            for schema, table, column, key in users
        ]
        if target in _ROOTS:
            unused.insert(0, sql.SQL("t.placeholder"))
        cursor = conn.execute(
            sql.SQL("DELETE FROM {} t WHERE {}").format(
                sql.Identifier(staging.live_schema, target), sql.SQL(" AND ").join(unused)
            )
        )
        dropped += cursor.rowcount
    return dropped
