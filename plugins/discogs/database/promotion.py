"""The swap of a first load: the staging tables replace the empty live tables.

The rows are written once, into tables without keys. Keys and indexes are then built in parallel,
and one short transaction swaps the tables in.
"""

from __future__ import annotations

import logging

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.keys import add_reference, definitions
from discogs.database.locking import LockRetry, lock_tables
from discogs.database.references import add_names, add_placeholders
from discogs.database.sql_files import read
from discogs.database.staging import Staging
from discogs.schema.mapping import TABLES
from discogs.schema.tables import Table

log = logging.getLogger(__name__)

#: The tables of all entities, and those of genres and styles; all other tables are users' own.
_OWN_TABLES = sorted(
    {table.name for tables in TABLES.values() for table in tables.all}
    | {name for tables in TABLES.values() for name in tables.names_tables}
)
#: Statements that revoke the default privileges with which the new tables were created.
_DEFAULT_GRANTS = (
    "SELECT DISTINCT 'REVOKE ALL ON ' || c.oid::regclass || ' FROM '"
    " || CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " CROSS JOIN LATERAL aclexplode(c.relacl) a"
    " WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND a.grantee <> c.relowner"
)


def is_promotable(conn: Connection, staging: Staging) -> bool:
    """Whether the live tables are empty and can be swapped without losing anything of users'.

    Privileges, comments, statistics targets and similar settings of the tables are copied to the
    new tables, and views are redirected to them. If there is anything else, such as a trigger or a
    foreign key of another application's table, the month is merged instead.
    """
    tables = [table.name for table in staging.tables.all]
    for name in tables:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(
            sql.Identifier(staging.live_schema, name)
        )
        row = conn.execute(query).fetchone()
        if row is None or row[0]:
            return False
    given = {"schema": staging.live_schema, "tables": tables, "own_tables": _OWN_TABLES}
    rows = conn.execute(read("first_load/blockers.sql"), given).fetchall()
    if rows:
        log.info(
            "%s is merged row by row, which is slower than swapping its tables in, in order to"
            " keep: %s",
            staging.tables.entity,
            "; ".join(str(row[0]) for row in rows),
        )
    return not rows


def promote(conn: Connection, staging: Staging, retry: LockRetry) -> int | None:
    """Swap the staging tables in for the live ones; the caller commits.

    :returns: how many placeholders were added; None when the live tables are no longer promotable,
        and the transaction was rolled back.
    :raises LockBusy: when the live tables cannot be locked in time.
    """
    indexes, constraints = definitions(conn, staging)
    own = {table.name for table in staging.tables.all}
    add_names(conn, staging)
    placeholders = add_placeholders(conn, staging, live=True) + _own_placeholders(conn, staging)
    for constraint in constraints:
        if constraint.kind == "f" and constraint.target not in own:
            add_reference(conn, staging, constraint, valid=True)
    given = {"schema": staging.live_schema, "tables": sorted(own)}
    incoming = conn.execute(read("first_load/incoming_references.sql"), given).fetchall()
    # Dropping a table also locks the tables that it refers to, and those that refer to it.
    targets = {constraint.target for constraint in constraints if constraint.target is not None}
    others = targets | {str(row[0]) for row in incoming}
    tables = [table.name for table in staging.tables.all]
    views = [(schema, name) for schema, name, _ in _views(conn, staging)]
    lock_tables(conn, staging.live_schema, [*tables, *sorted(others)], retry, views)
    if not is_promotable(conn, staging):
        conn.rollback()
        return None
    incoming = conn.execute(read("first_load/incoming_references.sql"), given).fetchall()
    settings = conn.execute(read("first_load/settings.sql"), given).fetchall()
    redirected = _views(conn, staging)
    for table, name, _definition in incoming:
        conn.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(staging.live_schema, table), sql.Identifier(name)
            )
        )
    # The empty tables are dropped after the views are redirected by CREATE OR REPLACE VIEW, which
    # keeps a view's privileges, its comments, and the views that depend on it.
    for name in tables:
        conn.execute(
            sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
                sql.Identifier(staging.live_schema, name), sql.Identifier(staging.schema)
            )
        )
    for table in staging.tables.all:
        _move(conn, staging, table)
    for _, _, statement in redirected:
        conn.execute(sql.SQL(statement))
    empty = [sql.Identifier(staging.schema, name) for name in tables]
    conn.execute(sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(empty)))
    for constraint in constraints:
        if constraint.index is not None:
            conn.execute(
                sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(
                    sql.Identifier(staging.live_schema, constraint.table),
                    sql.Identifier(staging.suffixed(constraint.name)),
                    sql.Identifier(constraint.name),
                )
            )
    backing = {constraint.index for constraint in constraints}
    for index in indexes:
        if index.name not in backing:
            conn.execute(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                    sql.Identifier(staging.live_schema, staging.suffixed(index.name)),
                    sql.Identifier(index.name),
                )
            )
    # The definitions come from PostgreSQL's catalogs, so they need no quoting.
    for table, name, definition in incoming:
        conn.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(staging.live_schema, table),
                sql.Identifier(name),
                sql.SQL(definition),
            )
        )
    for (statement,) in [*conn.execute(_DEFAULT_GRANTS, given).fetchall(), *settings]:
        conn.execute(sql.SQL(statement))
    return placeholders


def _own_placeholders(conn: Connection, staging: Staging) -> int:
    """The number of placeholders in the entity's staged root table."""
    root = staging.tables.root
    if not any(c.references == root.name for table in staging.tables.all for c in table.references):
        return 0
    row = conn.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE placeholder").format(staging.table(root))
    ).fetchone()
    return int(row[0]) if row else 0


def _views(conn: Connection, staging: Staging) -> list[tuple[str, str, str]]:
    """The views of the live tables: schema, name, and the statement that redirects each."""
    given = {
        "schema": staging.live_schema,
        "tables": [table.name for table in staging.tables.all],
    }
    with conn.transaction():
        conn.execute("SET LOCAL search_path TO pg_catalog")
        rows = conn.execute(read("first_load/views.sql"), given).fetchall()
        conn.execute(
            sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(staging.live_schema))
        )
    return [(str(schema), str(name), str(statement)) for schema, name, statement in rows]


def _move(conn: Connection, staging: Staging, table: Table) -> None:
    staged, moved = staging.table(table), staging.suffixed(table.name)
    conn.execute(sql.SQL("ALTER TABLE {} RESET (autovacuum_enabled)").format(staged))
    if table is staging.tables.root:
        conn.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN dump_month DROP DEFAULT").format(staged))
    conn.execute(
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(staged, sql.Identifier(staging.live_schema))
    )
    conn.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            sql.Identifier(staging.live_schema, moved), sql.Identifier(table.name)
        )
    )
