"""What the tables hold after a load."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from rich.table import Table

from discogs.database.connection import Connect


@dataclass(frozen=True)
class TableSize:
    """A table's rows, counted, and its bytes with indexes."""

    name: str
    rows: int
    size: int


def table_sizes(connect: Connect, schema: str) -> list[TableSize]:
    """Every table of the schema, by name; rows are counted, not estimated."""
    with connect() as conn:
        names = conn.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY relname",
            [schema],
        ).fetchall()
        found = []
        for name, size in names:
            row = conn.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
            ).fetchone()
            found.append(TableSize(name, row[0] if row is not None else 0, size))
    return found


def shown(sizes: list[TableSize]) -> Table:
    """The tables for the terminal; empty ones are left out."""
    table = Table(title="Tables", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("MB", justify="right")
    for each in sizes:
        if each.rows:
            table.add_row(each.name, f"{each.rows:,}", f"{each.size / 1e6:.1f}")
    return table
