"""The sizes of the tables after a load."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from rich.table import Table

from discogs.database.connection import Connect

PLACEHOLDER = (
    "The rows include placeholders: ids that other records refer to, but that no loaded dump has."
)


@dataclass(frozen=True)
class TableSize:
    """A table's number of rows, and its bytes with indexes.

    :param placeholders: None if the table has no such column.
    """

    name: str
    rows: int
    placeholders: int | None
    size: int


def table_sizes(connect: Connect, schema: str) -> list[TableSize]:
    """Every table of the schema, by name; rows are counted, not estimated."""
    with connect() as conn:
        tables = conn.execute(
            "SELECT c.relname, pg_total_relation_size(c.oid), EXISTS (SELECT FROM pg_attribute a"
            " WHERE a.attrelid = c.oid AND a.attname = 'placeholder')"
            " FROM pg_class c WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'"
            " ORDER BY c.relname",
            [schema],
        ).fetchall()
        found = []
        for name, size, has_placeholders in tables:
            row = conn.execute(
                sql.SQL("SELECT count(*), {} FROM {}").format(
                    sql.SQL("count(*) FILTER (WHERE placeholder)" if has_placeholders else "NULL"),
                    sql.Identifier(schema, name),
                )
            ).fetchone()
            assert row is not None
            found.append(TableSize(name, row[0], row[1], size))
    return found


def shown(sizes: list[TableSize]) -> Table:
    """The tables for the terminal; empty ones are left out."""
    table = Table(title="Tables", title_justify="left", caption=PLACEHOLDER, caption_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("placeholders", justify="right")
    table.add_column("MB", justify="right")
    for each in sizes:
        if each.rows:
            placeholders = f"{each.placeholders:,}" if each.placeholders is not None else ""
            table.add_row(each.name, f"{each.rows:,}", placeholders, f"{each.size / 1e6:.1f}")
    return table
