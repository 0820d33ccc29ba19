"""The keys and indexes of a first load, built on the staging tables in parallel.

Their definitions are read from the live tables, so the migrations are the only place that has them.
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
#: Tables with fewer rows are analyzed with a smaller sample.
_SMALL_TABLE = 1_000_000


@dataclass(frozen=True)
class Index:
    """An index of a live table; ``definition`` is its CREATE INDEX statement."""

    table: str
    name: str
    definition: str


@dataclass(frozen=True)
class Constraint:
    """A constraint of a live table.

    :param kind: ``pg_constraint.contype``: p, u, c or f.
    :param definition: as ``pg_get_constraintdef`` returns it.
    :param index: the index behind a primary key or unique constraint.
    :param target: the table that a foreign key refers to.
    """

    table: str
    name: str
    kind: str
    definition: str
    index: str | None
    target: str | None


@dataclass(frozen=True)
class KeySettings:
    """How many keys are built at the same time, and with how many bytes of memory each."""

    connections: int
    memory: int

    @classmethod
    def of(cls, settings: Settings) -> KeySettings:
        return cls(settings.workers, settings.maintenance_memory)

    def parallel_workers(self, steps: int) -> int | None:
        """``max_parallel_maintenance_workers`` for each step; None keeps the server's setting.

        It is 0 while every connection has a step: parallel workers would then compete with the
        other connections for processors. That makes the merge of a first load of 200,000 releases
        on two processors a fifth faster.
        """
        return 0 if 1 < self.connections <= steps else None


@dataclass(frozen=True)
class _Step:
    """A step on one table, executed in parallel with others."""

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
    """Build the keys and indexes of the live tables on the staging tables, in parallel.

    Keys that an earlier attempt has built are kept: each step commits separately, since nobody else
    reads the staging tables. Foreign keys to other entities are added by the swap.

    :raises StagingTaken: when another attempt has claimed one of the shards.
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
        parallel = settings.parallel_workers(len(largest_first))
        number = min(settings.connections, len(largest_first))
        shared = iter(largest_first)
        with ThreadPoolExecutor(settings.connections, thread_name_prefix="keys") as pool:
            futures = [pool.submit(work, shared, parallel) for _ in range(number)]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                largest_first.clear()  # when a step has failed, no other one is begun
        for future in futures:
            future.result()

    def work(steps: Iterator[_Step], parallel: int | None) -> None:
        with connect() as conn:
            conn.execute(
                "SELECT set_config('maintenance_work_mem', %s, false),"
                " set_config('synchronous_commit', 'off', false),"
                " set_config('max_parallel_maintenance_workers',"
                " coalesce(%s, current_setting('max_parallel_maintenance_workers')), false)",
                [f"{settings.memory // 1024}kB", None if parallel is None else str(parallel)],
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
        # Ids that references within the entity point to and that the dump does not have.
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
    """The indexes and constraints of the live tables."""
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
        # Of "CREATE [UNIQUE] INDEX name ON schema.table USING …", UNIQUE and what follows USING
        # apply to the new index too.
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
    """Add a foreign key to a staging table.

    Its target is a staging table if it belongs to the same entity, else a live table.

    :param valid: whether existing rows are checked at once; if not, the constraint is NOT VALID.
    """
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
            # By default ANALYZE samples 30,000 rows, which are most of the pages of a small table.
            conn.execute("SET LOCAL default_statistics_target TO 20")
        conn.execute(sql.SQL("ANALYZE {}").format(staging.table(table)))

    return step
