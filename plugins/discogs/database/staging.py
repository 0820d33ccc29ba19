"""The staging tables, which have a month's rows until they are merged.

Each live table has a counterpart in the staging schema, with the month in its name. So months do
not conflict, and the next attempt of a killed task finds and replaces the rows that it left.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.errors import LockBusy, StagingTaken
from discogs.database.locking import table_holders
from discogs.database.sql_files import compose, read
from discogs.schema.entities import Month
from discogs.schema.tables import EntityTables, Table

#: The extra tables of an entity: stored ids that are absent from the dump, ids of loaded records
#: that the filter now leaves out, all ids that it leaves out, names of genres and styles, ids of
#: records that the rows refer to, rejected records, and the claims of the shards.
ABSENT, FILTERED, LEFT_OUT = "absent", "filtered", "left_out"
NAMES, REFERENCED, REJECTED, CLAIMS = "names", "referenced", "rejected", "claims"
_EXTRAS = (ABSENT, FILTERED, LEFT_OUT, NAMES, REFERENCED, REJECTED, CLAIMS)


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
        """The staging table of a live table."""
        return sql.Identifier(self.schema, self.suffixed(table.name))

    def extra(self, kind: str) -> sql.Identifier:
        """An extra table, such as ABSENT or NAMES."""
        return sql.Identifier(self.schema, self.suffixed(f"{self.tables.entity}_{kind}"))

    def exists(self, conn: Connection) -> bool:
        return self._persistence(conn) is not None

    def is_logged(self, conn: Connection) -> bool:
        """Whether the tables are logged, so that they can become live tables."""
        return self._persistence(conn) == "p"

    def _persistence(self, conn: Connection) -> str | None:
        row = conn.execute(
            "SELECT c.relpersistence::text FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            [self.schema, self.suffixed(self.tables.root.name)],
        ).fetchone()
        return str(row[0]) if row else None

    def is_outdated(self, conn: Connection) -> bool:
        """Whether the columns of the live tables differ, or extra tables are missing, since the
        tables or the package were changed after the staging tables were created."""
        live = _columns(conn, self.live_schema, [table.name for table in self.tables.all])
        names = {self.suffixed(table.name): table.name for table in self.tables.all}
        staged = _columns(conn, self.schema, list(names))
        if live != {(names[table], column, kind) for table, column, kind in staged}:
            return True
        extras = [self.suffixed(f"{self.tables.entity}_{kind}") for kind in _EXTRAS]
        return {table for table, _, _ in _columns(conn, self.schema, extras)} != set(extras)

    def create(self, conn: Connection, *, logged: bool) -> None:
        """Create the staging tables; the caller commits.

        :param logged: create logged tables, which can become the live ones; the extra tables are
            always unlogged.
        """
        persistence = sql.SQL("" if logged else "UNLOGGED")
        for table in self.tables.all:
            conn.execute(
                compose(
                    "staging/create_table",
                    persistence=persistence,
                    staged=self.table(table),
                    live=sql.Identifier(self.live_schema, table.name),
                )
            )
        # Every row of the load has the same month, so it is a default and not sent by COPY.
        conn.execute(
            sql.SQL("ALTER TABLE {} ALTER COLUMN dump_month SET DEFAULT {}").format(
                self.table(self.tables.root), sql.Literal(str(self.month))
            )
        )
        conn.execute(
            compose(
                "staging/create_extras",
                absent=self.extra(ABSENT),
                filtered=self.extra(FILTERED),
                left_out=self.extra(LEFT_OUT),
                names=self.extra(NAMES),
                referenced=self.extra(REFERENCED),
                rejected=self.extra(REJECTED),
                claims=self.extra(CLAIMS),
            )
        )

    def drop(self, conn: Connection) -> None:
        """Drop the staging tables that exist; the caller commits."""
        names = sql.SQL(", ").join(self._all())
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(names))

    def _all(self) -> list[sql.Identifier]:
        return [self.table(table) for table in self.tables.all] + [
            self.extra(kind) for kind in _EXTRAS
        ]

    def clear_shard(self, conn: Connection, shard: int, shards: int) -> None:
        """Delete the rows of a shard; the caller commits."""
        if shards == 1:
            names = [self.table(table) for table in self.tables.all]
            conn.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))
        else:
            for table in self.tables.all:
                conn.execute(
                    sql.SQL("DELETE FROM {} WHERE {} %% %s = %s").format(
                        self.table(table), sql.Identifier(table.key[0])
                    ),
                    [shards, shard],
                )
        for kind in (ABSENT, FILTERED, LEFT_OUT, NAMES, REFERENCED, REJECTED):
            conn.execute(
                sql.SQL("DELETE FROM {} WHERE shard = %s").format(self.extra(kind)), [shard]
            )

    def drop_keys(self, conn: Connection) -> None:
        """Drop the keys, indexes and placeholders of a first load; the caller commits.

        An attempt that ended after it had built keys leaves them, and rows are copied to, or merged
        from, tables without keys.
        """
        given = {
            "schema": self.schema,
            "tables": [self.suffixed(table.name) for table in self.tables.all],
        }
        found = conn.execute(read("staging/keys.sql"), given).fetchall()
        for kind, table, name in found:
            drop = "DROP INDEX {schema}.{name}"
            if kind == "constraint":
                drop = "ALTER TABLE {schema}.{table} DROP CONSTRAINT {name}"
            conn.execute(
                sql.SQL(drop).format(
                    schema=sql.Identifier(self.schema),
                    table=sql.Identifier(table),
                    name=sql.Identifier(name),
                )
            )
        if found:
            root = self.table(self.tables.root)
            conn.execute(sql.SQL("DELETE FROM {} WHERE placeholder").format(root))

    def lock(self, conn: Connection, claims: dict[int, UUID], seconds: float) -> None:
        """Lock the tables in ACCESS EXCLUSIVE mode until the transaction ends.

        :param seconds: how long to wait for the locks.
        :raises LockBusy: naming the session that still uses the tables.
        :raises StagingTaken: when another attempt has claimed one of the shards.
        """
        names = sql.SQL(", ").join(self._all())
        conn.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(seconds * 1000)}ms"])
        try:
            with conn.transaction():
                conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
        except psycopg.errors.LockNotAvailable:
            raise self.busy(conn) from None
        except psycopg.errors.UndefinedTable:
            raise StagingTaken(self.tables.entity, self.month) from None
        conn.execute("SET LOCAL lock_timeout TO DEFAULT")
        self.hold(conn, claims)

    def busy(self, conn: Connection) -> LockBusy:
        """An error that names the sessions that use the tables."""
        names = [self.suffixed(table.name) for table in self.tables.all]
        names += [self.suffixed(f"{self.tables.entity}_{kind}") for kind in _EXTRAS]
        who = table_holders(conn, self.schema, names) or "a connection that has just gone"
        return LockBusy(
            f"The staging tables of {self.tables.entity} of {self.month} are held by {who}."
            " Wait for it to end, or stop it."
        )

    def claim(self, conn: Connection, shard: int) -> UUID:
        """Claim a shard, in place of an earlier attempt; commits.

        Each transaction that writes rows locks the claim that it belongs to. So this waits for such
        a transaction of the earlier attempt, and later ones of that attempt fail.
        """
        claim = uuid4()
        conn.execute(
            sql.SQL(
                "INSERT INTO {} (shard, claim, complete) VALUES (%s, %s, false) ON CONFLICT (shard)"
                " DO UPDATE SET claim = excluded.claim, complete = excluded.complete"
            ).format(self.extra(CLAIMS)),
            [shard, claim],
        )
        conn.commit()
        return claim

    def hold(self, conn: Connection, claims: dict[int, UUID]) -> None:
        """Lock the claims of shards until the transaction ends: no other attempt can take them.

        :raises StagingTaken: when another attempt has claimed one, or a crash has emptied the
            table of claims.
        """
        try:
            rows = conn.execute(
                sql.SQL("SELECT shard, claim FROM {} WHERE shard = ANY (%s) FOR SHARE").format(
                    self.extra(CLAIMS)
                ),
                [list(claims)],
            ).fetchall()
        except psycopg.errors.UndefinedTable:  # merged and dropped meanwhile
            rows = []
        if dict(rows) != claims:
            raise StagingTaken(self.tables.entity, self.month)

    def complete(self, conn: Connection, claims: dict[int, UUID]) -> None:
        """Mark shards as complete; the caller commits.

        :raises StagingTaken: when another attempt has claimed one of them.
        """
        self.hold(conn, claims)
        conn.execute(
            sql.SQL("UPDATE {} SET complete = true WHERE shard = ANY (%s)").format(
                self.extra(CLAIMS)
            ),
            [list(claims)],
        )

    def completed(self, conn: Connection) -> dict[int, UUID]:
        """The complete shards, each with its claim."""
        if not self.exists(conn):
            return {}
        rows = conn.execute(
            sql.SQL("SELECT shard, claim FROM {} WHERE complete").format(self.extra(CLAIMS))
        ).fetchall()
        return dict(rows)


def _columns(conn: Connection, schema: str, tables: list[str]) -> set[tuple[str, str, str]]:
    """Table, name and type of the columns of some tables."""
    rows = conn.execute(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped",
        [schema, tables],
    ).fetchall()
    return {(str(table), str(column), str(kind)) for table, column, kind in rows}


def leftovers(conn: Connection, schema: str) -> list[tuple[str, Month]]:
    """The staging tables that exist, each with its month."""
    rows = conn.execute(
        "SELECT tablename, replace(right(tablename, 7), '_', '-') FROM pg_tables"
        " WHERE schemaname = %s AND tablename ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY tablename",
        [schema],
    ).fetchall()
    return [(str(name), Month.parse(month)) for name, month in rows]
