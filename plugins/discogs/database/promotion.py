"""The first load's way: staged tables get keys of their own and become the live ones.

The rows are written once, into bare tables; keys and indexes are built over them in parallel;
and one short transaction puts the tables in place of the empty ones. What the keys are is
read from the live tables, so they are declared in the migrations and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from discogs.database.connection import Connect, Connection
from discogs.database.locking import LockRetry, lock_tables
from discogs.database.references import add_names, add_placeholders
from discogs.database.sql_files import read
from discogs.database.staging import Staging
from discogs.schema.mapping import TABLES
from discogs.schema.tables import Table

#: Of all entities; foreign keys of other tables are a user's own.
_OWN_TABLES = [table.name for tables in TABLES.values() for table in tables.all]

_INDEXES = (
    "SELECT tablename, indexname, indexdef FROM pg_indexes"
    " WHERE schemaname = %(schema)s AND tablename = ANY (%(tables)s) ORDER BY 1, 2"
)
#: Rows below which a coarser sample tells the planner enough.
_SMALL_TABLE = 1_000_000


@dataclass(frozen=True)
class _Index:
    table: str
    name: str
    definition: str


@dataclass(frozen=True)
class _Constraint:
    table: str
    name: str
    kind: str
    definition: str
    index: str | None
    target: str | None


@dataclass(frozen=True)
class PromotionSettings:
    """How keys are built: how many at once, and with how much memory each (bytes)."""

    connections: int
    memory: int


def is_promotable(conn: Connection, staging: Staging) -> bool:
    """Whether the live tables are empty and nothing depends on them that a swap would lose.

    Foreign keys, triggers, policies, publications, materialized views and the like of the user's
    would be lost with the tables that are replaced; where there are any, the month is merged
    instead. Views are redirected to the new tables.
    """
    tables = [table.name for table in staging.tables.all]
    for name in tables:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(
            sql.Identifier(staging.live_schema, name)
        )
        row = conn.execute(query).fetchone()
        if row is None or row[0]:
            return False
    row = conn.execute(
        read("first_load/dependents.sql"),
        {"schema": staging.live_schema, "tables": tables, "own_tables": _OWN_TABLES},
    ).fetchone()
    return row is not None and not row[0]


def build_keys(
    connect: Connect, staging: Staging, settings: PromotionSettings, claims: dict[int, UUID]
) -> None:
    """Build on the staged tables whatever keys the live ones have, in parallel.

    What an earlier try has built is found and left. The staged tables are seen by nobody, so
    each step commits by itself; references to other entities come with :func:`promote`.

    :raises StagingTaken: when another try stages one of the shards anew.
    """
    with connect() as conn:
        indexes, constraints = _definitions(conn, staging)
        sizes = _sizes(conn, staging)
    own = {table.name for table in staging.tables.all}
    inner = [c for c in constraints if c.kind == "f" and c.target in own]

    def in_parallel(steps: Iterable[tuple[str, Callable[[Connection], None]]]) -> None:
        largest_first = sorted(steps, key=lambda step: -sizes.get(step[0], 0))
        with ThreadPoolExecutor(settings.connections, thread_name_prefix="keys") as pool:
            futures = [pool.submit(run, step) for _, step in largest_first]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                pool.shutdown(cancel_futures=True)
        for future in futures:
            if not future.cancelled():
                future.result()

    def run(step: Callable[[Connection], None]) -> None:
        with connect() as conn:
            conn.execute(
                "SELECT set_config('maintenance_work_mem', %s, false),"
                " set_config('synchronous_commit', 'off', false)",
                [f"{settings.memory // 1024}kB"],
            )
            conn.commit()
            staging.hold(conn, claims)
            step(conn)
            conn.commit()

    in_parallel((index.table, _index_step(staging, index)) for index in indexes)
    with connect() as conn:
        staging.hold(conn, claims)
        for table in staging.tables.all:
            _attach_keys(conn, staging, table, constraints)
        # References within the entity point to ids of this very dump, or to no record at all.
        add_placeholders(conn, staging, live=False)
        for constraint in inner:
            _add_reference(conn, staging, constraint, valid=False)
        conn.commit()
    in_parallel((c.table, _validate_step(staging, c)) for c in inner)
    in_parallel((table.name, _analyze_step(staging, table)) for table in staging.tables.all)


def promote(conn: Connection, staging: Staging, retry: LockRetry) -> bool:
    """Put the staged tables in place of the live ones; the caller commits.

    :returns: False, with nothing done, when somebody has filled the live tables meanwhile.
    :raises LockBusy: when others do not let go of the live tables in time.
    """
    indexes, constraints = _definitions(conn, staging)
    own = {table.name for table in staging.tables.all}
    add_names(conn, staging)
    add_placeholders(conn, staging, live=True)
    for constraint in constraints:
        if constraint.kind == "f" and constraint.target not in own:
            _add_reference(conn, staging, constraint, valid=True)
    given = {"schema": staging.live_schema, "tables": sorted(own)}
    incoming = conn.execute(read("first_load/incoming_references.sql"), given).fetchall()
    # Dropping a table locks what refers to it, and what it refers to.
    targets = {constraint.target for constraint in constraints if constraint.target is not None}
    others = targets | {str(row[0]) for row in incoming}
    tables = [table.name for table in staging.tables.all]
    views = [(schema, name) for schema, name, _ in _views(conn, staging)]
    lock_tables(conn, staging.live_schema, [*tables, *sorted(others)], retry, views)
    if not is_promotable(conn, staging):
        conn.rollback()
        return False
    incoming = conn.execute(read("first_load/incoming_references.sql"), given).fetchall()
    grants = conn.execute(read("first_load/grants.sql"), given).fetchall()
    comments = conn.execute(read("first_load/comments.sql"), given).fetchall()
    redirected = _views(conn, staging)
    for table, name, _definition in incoming:
        conn.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(staging.live_schema, table), sql.Identifier(name)
            )
        )
    # The empty tables stay until the views are redirected: a view that is replaced keeps its
    # grants, its comments and what reads it.
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
    # The definitions come from the catalogue itself, so they may be run as they are.
    for table, name, definition in incoming:
        conn.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(staging.live_schema, table),
                sql.Identifier(name),
                sql.SQL(definition),
            )
        )
    for (statement,) in [*grants, *comments]:
        conn.execute(sql.SQL(statement))
    return True


def _views(conn: Connection, staging: Staging) -> list[tuple[str, str, str]]:
    """Schema, name and statement of the views that read the live tables."""
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


def _definitions(conn: Connection, staging: Staging) -> tuple[list[_Index], list[_Constraint]]:
    given = {
        "schema": staging.live_schema,
        "tables": [table.name for table in staging.tables.all],
    }
    indexes = [_Index(*row) for row in conn.execute(_INDEXES, given)]
    constraints = [
        _Constraint(*row) for row in conn.execute(read("first_load/constraints.sql"), given)
    ]
    return indexes, constraints


def _sizes(conn: Connection, staging: Staging) -> dict[str, int]:
    sizes = {}
    for table in staging.tables.all:
        row = conn.execute(
            "SELECT pg_relation_size(format('%%I.%%I', %s::text, %s::text)::regclass)",
            [staging.schema, staging.suffixed(table.name)],
        ).fetchone()
        sizes[table.name] = int(row[0]) if row else 0
    return sizes


def _exists(conn: Connection, schema: str, name: str) -> bool:
    row = conn.execute(
        "SELECT to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL", [schema, name]
    ).fetchone()
    return bool(row and row[0])


def _has_constraint(conn: Connection, staging: Staging, table: str, name: str) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = %s"
        " AND conrelid = format('%%I.%%I', %s::text, %s::text)::regclass)",
        [name, staging.schema, staging.suffixed(table)],
    ).fetchone()
    return bool(row and row[0])


def _index_step(staging: Staging, index: _Index) -> Callable[[Connection], None]:
    def step(conn: Connection) -> None:
        name = staging.suffixed(index.name)
        if _exists(conn, staging.schema, name):
            return
        # "CREATE [UNIQUE] INDEX name ON schema.table USING …": only what follows USING, and
        # whether it is unique, is the index's own.
        unique = " UNIQUE" if index.definition.startswith("CREATE UNIQUE") else ""
        conn.execute(
            sql.SQL("CREATE{} INDEX {} ON {} USING {}").format(
                sql.SQL(unique),
                sql.Identifier(name),
                sql.Identifier(staging.schema, staging.suffixed(index.table)),
                sql.SQL(index.definition.partition(" USING ")[2]),
            )
        )

    return step


def _attach_keys(
    conn: Connection, staging: Staging, table: Table, constraints: list[_Constraint]
) -> None:
    for constraint in constraints:
        if constraint.table != table.name or constraint.kind not in "puc":
            continue
        indexed = constraint.index is not None
        name = staging.suffixed(constraint.name) if indexed else constraint.name
        if _has_constraint(conn, staging, table.name, name):
            continue
        if indexed:
            kind = sql.SQL("PRIMARY KEY" if constraint.kind == "p" else "UNIQUE")
            definition = sql.SQL("{} USING INDEX {}").format(kind, sql.Identifier(name))
        else:
            definition = sql.SQL("{}").format(sql.SQL(constraint.definition))
        conn.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                staging.table(table), sql.Identifier(name), definition
            )
        )


def _add_reference(
    conn: Connection, staging: Staging, constraint: _Constraint, *, valid: bool
) -> None:
    """Add a foreign key; its target is the staged table where the entity has it itself."""
    if _has_constraint(conn, staging, constraint.table, constraint.name):
        return
    own = {table.name for table in staging.tables.all}
    assert constraint.target is not None
    target = (
        sql.Identifier(staging.schema, staging.suffixed(constraint.target))
        if constraint.target in own
        else sql.Identifier(staging.live_schema, constraint.target)
    )
    # "FOREIGN KEY (a) REFERENCES schema.target(id) ON DELETE …"
    columns, _, rest = constraint.definition.partition(" REFERENCES ")
    conn.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} REFERENCES {} {} {}").format(
            sql.Identifier(staging.schema, staging.suffixed(constraint.table)),
            sql.Identifier(constraint.name),
            sql.SQL(columns),
            target,
            sql.SQL(rest[rest.index("(") :]),
            sql.SQL("" if valid else "NOT VALID"),
        )
    )


def _validate_step(staging: Staging, constraint: _Constraint) -> Callable[[Connection], None]:
    def step(conn: Connection) -> None:
        conn.execute(
            sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(
                sql.Identifier(staging.schema, staging.suffixed(constraint.table)),
                sql.Identifier(constraint.name),
            )
        )

    return step


def _analyze_step(staging: Staging, table: Table) -> Callable[[Connection], None]:
    def step(conn: Connection) -> None:
        row = conn.execute(
            "SELECT reltuples FROM pg_class"
            " WHERE oid = format('%%I.%%I', %s::text, %s::text)::regclass",
            [staging.schema, staging.suffixed(table.name)],
        ).fetchone()
        if row is not None and row[0] < _SMALL_TABLE:
            # ANALYZE samples 30,000 rows by default, which is most of a small table.
            conn.execute("SET LOCAL default_statistics_target TO 20")
        conn.execute(sql.SQL("ANALYZE {}").format(staging.table(table)))

    return step
