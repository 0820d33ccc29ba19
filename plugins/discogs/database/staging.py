"""The staging tables: a month's rows, by entity, until they are merged.

Each live table has one like it in the staging schema, with the month in its name; so two
months never meet, and whatever a killed task left is found and replaced by the next try.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from discogs.catalogue import Month
from discogs.database.sql import read
from discogs.tables import EntityTables, Table

Connection = psycopg.Connection[TupleRow]

#: Beside the tables' own rows: ids that the dump lacks, names, rejected records.
ABSENT, NAMES, REJECTED = "absent", "names", "rejected"


@dataclass(frozen=True)
class Staging:
    """One entity's staging tables of one month."""

    schema: str
    live_schema: str
    tables: EntityTables
    month: Month

    def suffixed(self, name: str) -> str:
        return f"{name}_{self.month.year:04d}_{self.month.month:02d}"

    def table(self, table: Table) -> sql.Identifier:
        """A live table's counterpart."""
        return sql.Identifier(self.schema, self.suffixed(table.name))

    def extra(self, kind: str) -> sql.Identifier:
        """One of the tables beside: ABSENT, NAMES or REJECTED."""
        return sql.Identifier(self.schema, self.suffixed(f"{self.tables.entity}_{kind}"))

    def exists(self, conn: Connection) -> bool:
        return self._persistence(conn) is not None

    def is_logged(self, conn: Connection) -> bool:
        """Whether the tables may become the live ones: only logged ones survive a crash."""
        return self._persistence(conn) == "p"

    def _persistence(self, conn: Connection) -> str | None:
        row = conn.execute(
            "SELECT c.relpersistence::text FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            [self.schema, self.suffixed(self.tables.root.name)],
        ).fetchone()
        return str(row[0]) if row else None

    def create(self, conn: Connection, *, logged: bool) -> None:
        """Create the tables; the caller commits."""
        persistence = sql.SQL("" if logged else "UNLOGGED")
        for table in self.tables.all:
            conn.execute(
                sql.SQL(read("staging/create_table.sql")).format(
                    persistence=persistence,
                    staged=self.table(table),
                    live=sql.Identifier(self.live_schema, table.name),
                )
            )
        # The month is the same for every row of the load: the server fills it in.
        conn.execute(
            sql.SQL("ALTER TABLE {} ALTER COLUMN dump_month SET DEFAULT {}").format(
                self.table(self.tables.root), sql.Literal(str(self.month))
            )
        )
        conn.execute(
            sql.SQL(read("staging/create_extras.sql")).format(
                absent=self.extra(ABSENT), names=self.extra(NAMES), rejected=self.extra(REJECTED)
            )
        )

    def drop(self, conn: Connection) -> None:
        """Drop what is there; the caller commits."""
        names = [self.table(table) for table in self.tables.all]
        names += [self.extra(kind) for kind in (ABSENT, NAMES, REJECTED)]
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(", ").join(names)))

    def clear_shard(self, conn: Connection, shard: int, shards: int) -> None:
        """Remove one shard's rows; the caller commits."""
        for table in self.tables.all:
            if shards == 1:
                conn.execute(sql.SQL("TRUNCATE {}").format(self.table(table)))
                continue
            conn.execute(
                sql.SQL("DELETE FROM {} WHERE {} %% %s = %s").format(
                    self.table(table), sql.Identifier(table.key[0])
                ),
                [shards, shard],
            )
        for kind in (ABSENT, NAMES, REJECTED):
            conn.execute(
                sql.SQL("DELETE FROM {} WHERE shard = %s").format(self.extra(kind)), [shard]
            )


def leftovers(conn: Connection, schema: str, month: Month | None = None) -> list[sql.Identifier]:
    """The staging tables that are there, of one month or of all."""
    suffix = f"{month.year:04d}_{month.month:02d}" if month else "[0-9]{4}_[0-9]{2}"
    rows = conn.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename ~ %s"
        " ORDER BY tablename",
        [schema, f"_{suffix}$"],
    ).fetchall()
    return [sql.Identifier(schema, str(row[0])) for row in rows]
