"""A role that can read the tables and nothing else."""

from __future__ import annotations

import psycopg
from psycopg import sql

from discogs.database.compat import SCHEMAS, compat_schema
from discogs.database.connection import Connect, explain
from discogs.database.errors import DatabaseError
from discogs.database.sql_files import compose


def grant_read(connect: Connect, schema: str, role: str) -> bool:
    """Let a role read all tables and views of a schema and of its compatibility schemas, those
    created later included.

    A role that does not exist is created without LOGIN, to be granted to login roles.

    :returns: whether the role was created.
    :raises DatabaseError: when the schema does not exist, the role of the connection may not create
        roles, or the server refuses a statement.
    """
    name = sql.Identifier(role)
    wanted = [schema, *(compat_schema(schema, loader) for loader in SCHEMAS)]
    try:
        with connect() as conn:
            query = "SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s)"
            found = {str(each) for (each,) in conn.execute(query, [wanted])}
            present = conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            if present is None:
                _create(conn, name)
            for each in sorted(found | {schema}):
                conn.execute(compose("roles/reader", schema=sql.Identifier(each), role=name))
            conn.commit()
    except psycopg.errors.InvalidSchemaName:
        raise DatabaseError(
            f"There is no schema {schema}: run `python -m discogs migrate` first."
        ) from None
    except psycopg.Error as error:
        raise explain(error) from error
    return present is None


def _create(conn: psycopg.Connection, name: sql.Identifier) -> None:
    create = sql.SQL("CREATE ROLE {} NOLOGIN").format(name)
    user = conn.execute("SELECT current_user").fetchone()
    try:
        conn.execute(create)
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"The role {user[0] if user else ''} may not create a role; nothing was granted. Let an"
            f" administrator run: {create.as_string(conn)};"
        ) from None
