"""The schemas of the tables, and the privileges that a load needs."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.errors import MigrationError

_RIGHTS = """
SELECT w.name, n.oid IS NOT NULL,
    coalesce(
        has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'),
        has_database_privilege(current_database(), 'CREATE')
    )
FROM unnest(%s::text[]) WITH ORDINALITY AS w (name, number)
LEFT JOIN pg_namespace n ON n.nspname = w.name
ORDER BY w.number
"""


def create_schemas(conn: Connection, names: Iterable[str]) -> None:
    """Create the schemas that are missing; the caller commits.

    A role without CREATE on the database can work in schemas that an administrator has created.

    :raises MigrationError: when the role lacks a privilege, with the statements that grant it;
        nothing is created.
    """
    role, database, temporary = conn.execute(
        "SELECT current_user::text, current_database()::text,"
        " has_database_privilege(current_database(), 'TEMPORARY')"
    ).fetchall()[0]
    user, missing, needed = sql.Identifier(role), [], []
    for name, exists, allowed in conn.execute(_RIGHTS, [list(names)]).fetchall():
        schema = sql.Identifier(name)
        if not exists:
            missing.append(schema)
        if not allowed and exists:
            needed.append(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {};").format(schema, user))
        elif not allowed:
            needed.append(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {};").format(schema, user))
    if not temporary:
        needed.append(
            sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {};").format(sql.Identifier(database), user)
        )
    if needed:
        raise MigrationError(
            f"The role {role} lacks rights in the database {database}; nothing was created. Let an"
            f" administrator run: {sql.SQL(' ').join(needed).as_string(conn)}"
        )
    for schema in missing:
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
