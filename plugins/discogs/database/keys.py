"""The keys of a first load: built over the staged rows, many at once.

What the keys are is read from the live tables, so they are declared in the migrations and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from discogs.database.connection import Connect, Connection
from discogs.database.references import add_placeholders
from discogs.database.sql_files import read
from discogs.database.staging import Staging
from discogs.progress import OnProgress, Parts
from discogs.schema.tables import Table
from discogs.settings import Settings

_INDEXES = (
    "SELECT tablename, indexname, indexdef FROM pg_indexes"
    " WHERE schemaname = %(schema)s AND tablename = ANY (%(tables)s) ORDER BY 1, 2"
)
#: Rows below which a coarser sample is enough for the planner.
_SMALL_TABLE = 1_000_000


@dataclass(frozen=True)
class Index:
    table: str
    name: str
    definition: str


@dataclass(frozen=True)
class Constraint:
    table: str
    name: str
    kind: str
    definition: str
    index: str | None
    target: str | None


@dataclass(frozen=True)
class KeySettings:
    """How keys are built: how many at once, and with how much memory each (bytes)."""

    connections: int
    memory: int

    @classmethod
    def of(cls, settings: Settings) -> KeySettings:
        return cls(settings.workers, settings.maintenance_memory)

    def parallel_workers(self, steps: int) -> int | None:
        """How many helpers PostgreSQL may start for each step; None for as many as it likes.

        None of them while there is a step for each connection: they would share its processors with
        the other connections. The merge of a first load of 200,000 releases on two processors is a
        fifth quicker so.
        """
        return 0 if 1 < self.connections <= steps else None


@dataclass(frozen=True)
class _Step:
    """One of those that are done in parallel, on one table."""

    table: str
    detail: str
    work: Callable[[Connection], None]


def build_keys(
    connect: Connect,
    staging: Staging,
    settings: KeySettings,
    claims: dict[int, UUID],
    on_progress: OnProgress | None = None,
) -> None:
    """Build on the staged tables whatever keys the live ones have, in parallel.

    What an earlier attempt has built is kept. The staged tables are seen by nobody, so
    each step commits by itself; references to other entities come with the swap.

    :raises StagingTaken: when another attempt stages one of the shards again.
    """
    with connect() as conn:
        indexes, constraints = definitions(conn, staging)
        sizes = _sizes(conn, staging)
    own = {table.name for table in staging.tables.all}
    inner = [c for c in constraints if c.kind == "f" and c.target in own]
    total = len(indexes) + len(inner) + len(own) + 1
    parts = Parts("keys", str(staging.tables.entity), total, on_progress)

    def in_parallel(steps: Iterable[_Step]) -> None:
        largest_first = sorted(steps, key=lambda step: -sizes.get(step.table, 0))
        helpers = settings.parallel_workers(len(largest_first))
        number = min(settings.connections, len(largest_first))
        shared = iter(largest_first)
        with ThreadPoolExecutor(settings.connections, thread_name_prefix="keys") as pool:
            futures = [pool.submit(work, shared, helpers) for _ in range(number)]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                largest_first.clear()  # where one has failed, the others take no more
        for future in futures:
            future.result()

    def work(steps: Iterator[_Step], helpers: int | None) -> None:
        with connect() as conn:
            conn.execute(
                "SELECT set_config('maintenance_work_mem', %s, false),"
                " set_config('synchronous_commit', 'off', false),"
                " set_config('max_parallel_maintenance_workers',"
                " coalesce(%s, current_setting('max_parallel_maintenance_workers')), false)",
                [f"{settings.memory // 1024}kB", None if helpers is None else str(helpers)],
            )
            conn.commit()
            for step in steps:
                with parts.part(step.detail):
                    staging.hold(conn, claims)
                    step.work(conn)
                    conn.commit()

    in_parallel(
        _Step(i.table, f"index {i.name} of {i.table}", _index_step(staging, i)) for i in indexes
    )
    with parts.part("attach keys"), connect() as conn:
        staging.hold(conn, claims)
        for table in staging.tables.all:
            _attach_keys(conn, staging, table, constraints)
        # References within the entity point to ids of this very dump, or to no record at all.
        add_placeholders(conn, staging, live=False)
        for constraint in inner:
            add_reference(conn, staging, constraint, valid=False)
        conn.commit()
    in_parallel(
        _Step(c.table, f"validate {c.name} of {c.table}", _validate_step(staging, c)) for c in inner
    )
    in_parallel(
        _Step(table.name, f"analyze {table.name}", _analyze_step(staging, table))
        for table in staging.tables.all
    )


def definitions(conn: Connection, staging: Staging) -> tuple[list[Index], list[Constraint]]:
    given = {
        "schema": staging.live_schema,
        "tables": [table.name for table in staging.tables.all],
    }
    indexes = [Index(*row) for row in conn.execute(_INDEXES, given)]
    constraints = [
        Constraint(*row) for row in conn.execute(read("first_load/constraints.sql"), given)
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


def _index_step(staging: Staging, index: Index) -> Callable[[Connection], None]:
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
    conn: Connection, staging: Staging, table: Table, constraints: list[Constraint]
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


def add_reference(
    conn: Connection, staging: Staging, constraint: Constraint, *, valid: bool
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


def _validate_step(staging: Staging, constraint: Constraint) -> Callable[[Connection], None]:
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
