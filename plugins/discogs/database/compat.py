"""Views with the table and column names of another loader, for queries written for it."""

from __future__ import annotations

import psycopg
from psycopg import sql

from discogs.database.connection import Connect, explain
from discogs.database.schemas import create_schemas
from discogs.database.sql_files import compose

#: The loaders, each with the suffix of the schema of its views.
SCHEMAS = {"discogs-xml2db": "_xml2db"}


def compat_schema(schema: str, loader: str) -> str:
    """The schema that has a loader's views, such as ``discogs_xml2db``."""
    return schema + SCHEMAS[loader]


def write_compat(connect: Connect, schema: str, loader: str) -> str:
    """Create or replace the views for a loader's queries.

    :returns: the schema of the views.
    :raises MigrationError: when the role may not create the schema.
    :raises DatabaseError: when the server refuses a statement.
    """
    compat = compat_schema(schema, loader)
    parts = {"schema": sql.Identifier(schema), "compat": sql.Identifier(compat)}
    try:
        with connect() as conn:
            create_schemas(conn, [compat])
            conn.execute(compose(f"compat/{loader}", **parts))
            conn.execute(
                sql.SQL("COMMENT ON SCHEMA {} IS {}").format(
                    sql.Identifier(compat), sql.Literal(f"{schema} under the names of {loader}")
                )
            )
            conn.commit()
    except psycopg.Error as error:
        raise explain(error) from error
    return compat
