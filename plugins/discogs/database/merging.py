"""The merge of a staged month into the live tables, in one transaction that the caller commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psycopg import sql

from discogs.database import differences
from discogs.database.connection import Connection
from discogs.database.references import add_names, add_placeholders, drop_unused
from discogs.database.sql_files import compose
from discogs.database.staging import ABSENT, FILTERED, Staging
from discogs.progress import OnProgress, Parts
from discogs.schema.entities import Month
from discogs.schema.tables import Table

#: The statement for each kind of difference between child rows, in the order of execution.
_WRITES = {
    "gone": "DELETE FROM {live} l USING merge_rows s WHERE s.merge_change = 'gone' AND {same_key}",
    "changed": "UPDATE {live} l SET {assignments} FROM merge_rows s"
    " WHERE s.merge_change = 'changed' AND {same_key}",
    # In key order, so that rows of the same table and index pages are written together.
    "new": "INSERT INTO {live} ({columns})"
    " SELECT {columns} FROM merge_rows WHERE merge_change = 'new' ORDER BY {key}",
}
#: Tables that the merge fills for its change feed and counts. A record has changed only if it has
#: an entry in ``merge_differences``; otherwise its bytes differ, but its rows are the same.
_TEMP_TABLES = (
    "CREATE TEMP TABLE merge_changes (id integer PRIMARY KEY, change text NOT NULL,"
    " changed_bits integer NOT NULL, old jsonb) ON COMMIT DROP",
    "CREATE TEMP TABLE merge_differences (id integer NOT NULL, table_name text NOT NULL,"
    " columns text[] NOT NULL, old jsonb) ON COMMIT DROP",
)


@dataclass(frozen=True)
class MonthNeighbours:
    """The merged months before and after a month."""

    month: Month
    before: Month | None
    after: Month | None
    #: Whether no month of the entity has been merged so far, not even this one.
    first: bool
    #: Whether no newer month has been merged.
    newest: bool

    @classmethod
    def among(
        cls, month: Month, merged: Collection[Month], unsure: Collection[Month] = ()
    ) -> MonthNeighbours:
        """The neighbours of a month among the merged months, itself left out.

        :param unsure: months whose dumps have records with unreadable ids. A record that is absent
            from such a dump is not known to be removed, so these months are not used as ``after``.
        """
        before = [other for other in merged if other < month]
        newer = [other for other in merged if other > month]
        after = min((other for other in newer if other not in unsure), default=None)
        return cls(month, max(before, default=None), after, not merged, not newer)


@dataclass(frozen=True)
class Merged:
    """How many records the merge added, changed, removed and restored.

    ``changed`` counts the records whose rows differ from the stored ones.
    """

    added: int
    changed: int = 0
    removed: int = 0
    restored: int = 0
    placeholders_added: int = 0
    placeholders_dropped: int = 0


def merge_rows(
    conn: Connection,
    staging: Staging,
    neighbours: MonthNeighbours,
    memory: int,
    on_progress: OnProgress | None,
    *,
    old_values: bool,
) -> Merged:
    """Merge the staged rows; the caller commits.

    :param memory: bytes that a statement may use in the server.
    :param old_values: whether to store the old values of changed columns in the change feed.
    """
    entity = str(staging.tables.entity)
    parts = Parts("merge", entity, 5 + len(staging.tables.children), on_progress)
    with parts.part("analyze what is staged"):
        _tune_planner(conn, staging, memory)
    with parts.part(f"compare with {entity}") as report:
        staged = _classify(conn, staging, neighbours, old_values)
        report(f"{staged:,} records are new or have other bytes")
    with parts.part("names and placeholders") as report:
        add_names(conn, staging)
        placeholders = add_placeholders(conn, staging)
        report(f"{placeholders:,} placeholders added")
    with parts.part(entity) as report:
        report(f"{_upsert_roots(conn, staging, neighbours):,} rows written")
    for table in staging.tables.children:
        with parts.part(table.name) as report:
            report(_counted(_merge_children(conn, staging, table, old_values)))
    with parts.part("removed records, unused placeholders and the change feed") as report:
        _mark_removed(conn, staging, neighbours)
        filtered = _filter_out(conn, staging)
        dropped = drop_unused(conn, staging, root=filtered > 0)
        conn.execute("ANALYZE merge_differences")
        if not neighbours.first:  # the first month is read from the tables, not from the feed
            conn.execute(
                compose(
                    "merge/log_changes", feed=sql.Identifier(staging.live_schema, "entity_changes")
                ),
                {"month": str(neighbours.month), "entity": entity},
            )
        counts = _changes(conn)
        report(_counted(counts))
    return Merged(
        added=counts.get("added", 0),
        changed=counts.get("changed", 0),
        removed=counts.get("removed", 0),
        restored=counts.get("restored", 0),
        placeholders_added=placeholders,
        placeholders_dropped=dropped,
    )


def _classify(
    conn: Connection, staging: Staging, neighbours: MonthNeighbours, old_values: bool
) -> int:
    """Fill ``merge_changes`` with what the merge does to each staged record.

    :returns: the number of staged records.
    """
    live = _live(staging, staging.tables.root)
    staged = staging.table(staging.tables.root)
    root = staging.tables.root
    content = [name for name in root.values if name not in ("fingerprint", "dump_month")]
    for statement in _TEMP_TABLES:
        conn.execute(statement)
    cursor = conn.execute(
        compose(
            "merge/classify",
            live=live,
            staged=staged,
            changed_bits=differences.changed_bits(content),
            old=differences.old_values(content) if old_values else differences.NO_VALUES,
        ),
        {"newest": neighbours.newest},
    )
    conn.execute("ANALYZE merge_changes")
    conn.execute(
        compose(
            "merge/note_root_differences",
            table=sql.Literal(root.name),
            changed_columns=differences.changed_columns(root.name, content),
        )
    )
    return max(0, cursor.rowcount)


def _changes(conn: Connection) -> dict[str, int]:
    """The number of records by change: added, changed, removed and so on."""
    rows = conn.execute(
        "SELECT change, count(*) FROM merge_changes"
        " WHERE change <> 'changed' OR id IN (SELECT id FROM merge_differences)"
        " GROUP BY change ORDER BY change"
    ).fetchall()
    return {str(change): int(count) for change, count in rows}


def _counted(counts: Mapping[str, int]) -> str:
    """Counts for a log, such as ``12 added, 3 changed``."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing to change"


def _upsert_roots(conn: Connection, staging: Staging, neighbours: MonthNeighbours) -> int:
    """Write the root rows.

    :returns: how many.
    """
    root = staging.tables.root
    cursor = conn.execute(
        compose(
            "merge/upsert_root",
            live=_live(staging, root),
            staged=staging.table(root),
            columns=_columns(root.names),
            assignments=_assignments(root.values, "excluded"),
        ),
        {
            "removed_in": str(neighbours.after) if neighbours.after else None,
            "last_seen": str(neighbours.month) if neighbours.after else None,
        },
    )
    return max(0, cursor.rowcount)


def skip_removals(conn: Connection, staging: Staging) -> int:
    """Make the merge mark no record as removed.

    :returns: how many records are absent from the dump.
    """
    cursor = conn.execute(sql.SQL("DELETE FROM {}").format(staging.extra(ABSENT)))
    return max(0, cursor.rowcount)


def _tune_planner(conn: Connection, staging: Staging, memory: int) -> None:
    """Analyze the staging tables, and prefer plans that read few live rows by their keys."""
    conn.execute("SET LOCAL default_statistics_target TO 10")
    for table in staging.tables.all:
        conn.execute(sql.SQL("ANALYZE {}").format(staging.table(table)))
    conn.execute(sql.SQL("ANALYZE {}").format(staging.extra(ABSENT)))
    conn.execute("SET LOCAL random_page_cost TO 1.1")
    # A merge join would read the whole index of a live table for a few of its rows.
    conn.execute("SET LOCAL enable_mergejoin TO off")
    # Half of it, since a hash table may use work_mem times hash_mem_multiplier, which is 2.
    conn.execute("SELECT set_config('work_mem', %s, true)", [f"{max(64, memory // 2048)}kB"])
    conn.execute("SET LOCAL jit TO off")


def _merge_children(
    conn: Connection, staging: Staging, table: Table, old_values: bool
) -> dict[str, int]:
    """Write the rows of a child table that differ.

    :returns: the number of rows by difference: new, changed, gone.
    """
    parts = {
        "table": sql.Literal(table.name),
        "changed_bits": differences.changed_bits(table.values),
        "changed_columns": differences.changed_columns(table.name, table.values),
        "order": _columns(table.key[1:], "m"),
        "old": differences.old_row(table) if old_values else differences.NO_VALUES,
        "live": _live(staging, table),
        "staged": staging.table(table),
        "staged_root": staging.table(staging.tables.root),
        "parent": sql.Identifier(table.key[0]),
        "columns": _columns(table.names),
        "key": _columns(table.key),
        "keys": sql.SQL(", ").join(
            sql.SQL("coalesce(s.{0}, l.{0}) AS {0}").format(sql.Identifier(name))
            for name in table.key
        ),
        "same_key": sql.SQL(" AND ").join(
            sql.SQL("l.{0} = s.{0}").format(sql.Identifier(name)) for name in table.key
        ),
        "assignments": _assignments(table.values, "s"),
        "live_values": _columns(table.values, "l"),
        "staged_values": _columns(table.values, "s"),
    }

    conn.execute(compose("merge/compare_children", **parts))
    rows = conn.execute(
        "SELECT merge_change, count(*) FROM merge_rows GROUP BY merge_change ORDER BY merge_change"
    ).fetchall()
    changes = {str(change): int(count) for change, count in rows}
    for change, statement in _WRITES.items():
        if change in changes:
            conn.execute(sql.SQL(statement).format(**parts))
    if changes:
        conn.execute(compose("merge/note_differences", **parts))
    conn.execute("DROP TABLE merge_rows")
    return changes


def _mark_removed(conn: Connection, staging: Staging, neighbours: MonthNeighbours) -> None:
    name = "mark_removed" if neighbours.newest else "mark_removed_earlier"
    previous = neighbours.before or neighbours.month.plus(-1)
    conn.execute(
        compose(
            f"merge/{name}",
            live=_live(staging, staging.tables.root),
            absent=staging.extra(ABSENT),
        ),
        {"month": str(neighbours.month), "previous": str(previous)},
    )


def _filter_out(conn: Connection, staging: Staging) -> int:
    """Turn stored records that the filter leaves out into placeholders.

    :returns: how many.
    """
    root, filtered = staging.tables.root, staging.extra(FILTERED)
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(filtered)).fetchone()
    found = int(row[0]) if row else 0
    if found:
        conn.execute(sql.SQL("ANALYZE {}").format(filtered))
        for table in staging.tables.children:
            conn.execute(
                sql.SQL("DELETE FROM {} c USING {} f WHERE c.{} = f.id").format(
                    _live(staging, table), filtered, sql.Identifier(table.key[0])
                )
            )
        cleared = [sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in root.values]
        conn.execute(
            compose(
                "merge/filter_out",
                live=_live(staging, root),
                filtered=filtered,
                cleared=sql.SQL(", ").join(cleared),
            )
        )
    return found


def _live(staging: Staging, table: Table) -> sql.Identifier:
    return sql.Identifier(staging.live_schema, table.name)


def _columns(names: tuple[str, ...] | list[str], of: str | None = None) -> sql.Composed:
    parts = [sql.Identifier(of, name) if of else sql.Identifier(name) for name in names]
    return sql.SQL(", ").join(parts)


def _assignments(names: tuple[str, ...], source: str) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier(source, name))
        for name in names
    )
