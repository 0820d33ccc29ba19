"""The merge of a staged month into live tables, in one transaction that the caller ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psycopg import sql

from discogs.database import differences
from discogs.database.connection import Connection
from discogs.database.references import add_names, add_placeholders, drop_unused
from discogs.database.sql_files import compose
from discogs.database.staging import ABSENT, FILTERED, LEFT_OUT, REJECTED, Staging
from discogs.progress import OnProgress, Parts
from discogs.schema.entities import Month
from discogs.schema.tables import Table

#: How each kind of difference between children is written, in this order.
_WRITES = {
    "gone": "DELETE FROM {live} l USING merge_rows s WHERE s.merge_change = 'gone' AND {same_key}",
    "changed": "UPDATE {live} l SET {assignments} FROM merge_rows s"
    " WHERE s.merge_change = 'changed' AND {same_key}",
    # In the order of the key, so that neighbours in the table and its indexes are written together.
    "new": "INSERT INTO {live} ({columns})"
    " SELECT {columns} FROM merge_rows WHERE merge_change = 'new' ORDER BY {key}",
}
#: What the merge notes on the way. Records whose rows differ have changed; those of equal rows only
#: look different in the file.
_NOTES = (
    "CREATE TEMP TABLE merge_changes (id integer PRIMARY KEY, change text NOT NULL,"
    " changed_bits integer NOT NULL, old jsonb) ON COMMIT DROP",
    "CREATE TEMP TABLE merge_differences (id integer NOT NULL, table_name text NOT NULL,"
    " columns text[] NOT NULL, old jsonb) ON COMMIT DROP",
)


@dataclass(frozen=True)
class MonthNeighbours:
    """Where the month stands among those that were merged before it."""

    month: Month
    before: Month | None
    after: Month | None
    #: Whether nothing of the entity was merged before, this month included.
    first: bool
    #: Whether no newer month was merged.
    newest: bool

    @classmethod
    def among(
        cls, month: Month, merged: Collection[Month], unsure: Collection[Month] = ()
    ) -> MonthNeighbours:
        """The month's neighbours among the merged ones, itself left out.

        :param unsure: months that have removed nothing, since their dumps have records whose ids
            cannot be read; a record that such a month lacks is not known to be gone.
        """
        before = [other for other in merged if other < month]
        newer = [other for other in merged if other > month]
        after = min((other for other in newer if other not in unsure), default=None)
        return cls(month, max(before, default=None), after, not merged, not newer)


@dataclass(frozen=True)
class Merged:
    """How many records the merge added, changed, removed and restored.

    ``changed`` counts those whose rows differ from before.
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
    place: MonthNeighbours,
    memory: int,
    on_progress: OnProgress | None,
    *,
    old_values: bool,
) -> Merged:
    """Merge what is staged; nothing is seen of it before the caller commits.

    :param memory: bytes that one of its statements may take in the server.
    :param old_values: whether the change feed gets what changed columns held before.
    """
    entity = str(staging.tables.entity)
    parts = Parts("merge", entity, 5 + len(staging.tables.children), on_progress)
    with parts.part("analyze what is staged"):
        _plan_for_few_rows(conn, staging, memory)
    with parts.part(f"compare with {entity}") as found:
        staged = _classify(conn, staging, place, old_values)
        found(f"{staged:,} records are new or have other bytes")
    with parts.part("names and placeholders") as found:
        add_names(conn, staging)
        made = add_placeholders(conn, staging)
        found(f"{made:,} placeholders added")
    with parts.part(entity) as found:
        found(f"{_upsert_roots(conn, staging, place):,} rows written")
    for table in staging.tables.children:
        with parts.part(table.name) as found:
            found(_counted(_merge_children(conn, staging, table, old_values)))
    with parts.part("removed records, unused placeholders and the change feed") as found:
        _mark_removed(conn, staging, place)
        filtered = _filter_out(conn, staging)
        dropped = drop_unused(conn, staging, root=filtered > 0)
        conn.execute("ANALYZE merge_differences")
        if not place.first:  # whoever follows the feed starts from the tables
            conn.execute(
                compose(
                    "merge/log_changes", feed=sql.Identifier(staging.live_schema, "entity_changes")
                ),
                {"month": str(place.month), "entity": entity},
            )
        counts = _changes(conn)
        found(_counted(counts))
    return Merged(
        added=counts.get("added", 0),
        changed=counts.get("changed", 0),
        removed=counts.get("removed", 0),
        restored=counts.get("restored", 0),
        placeholders_added=made,
        placeholders_dropped=dropped,
    )


def _classify(conn: Connection, staging: Staging, place: MonthNeighbours, old_values: bool) -> int:
    """Note in ``merge_changes`` what each staged record is to the live ones; how many there are."""
    live = _live(staging, staging.tables.root)
    staged = staging.table(staging.tables.root)
    root = staging.tables.root
    content = [name for name in root.values if name not in ("fingerprint", "dump_month")]
    for statement in _NOTES:
        conn.execute(statement)
    cursor = conn.execute(
        compose(
            "merge/classify",
            live=live,
            staged=staged,
            changed_bits=differences.changed_bits(content),
            old=differences.old_values(content) if old_values else differences.NO_VALUES,
        ),
        {"newest": place.newest},
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
    """How many records were added, removed and restored, and how many changed: differ in rows."""
    rows = conn.execute(
        "SELECT change, count(*) FROM merge_changes"
        " WHERE change <> 'changed' OR id IN (SELECT id FROM merge_differences)"
        " GROUP BY change ORDER BY change"
    ).fetchall()
    return {str(change): int(count) for change, count in rows}


def _counted(counts: Mapping[str, int]) -> str:
    """Counts for a log, such as ``12 added, 3 changed``."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing to change"


def _upsert_roots(conn: Connection, staging: Staging, place: MonthNeighbours) -> int:
    """Write the root rows; how many."""
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
            "removed_in": str(place.after) if place.after else None,
            "last_seen": str(place.month) if place.after else None,
        },
    )
    return max(0, cursor.rowcount)


def keep_records(conn: Connection, staging: Staging) -> int:
    """Let the merge mark no record as removed; how many the dump lacks."""
    cursor = conn.execute(sql.SQL("DELETE FROM {}").format(staging.extra(ABSENT)))
    return max(0, cursor.rowcount)


def log_unread(conn: Connection, staging: Staging, ids: Collection[int]) -> None:
    """Write to the change feed which rows stay as they were, since the dump's records could not
    be read.

    :param ids: of those records; some may be in no table.
    """
    given = {"month": str(staging.month), "entity": str(staging.tables.entity), "ids": list(ids)}
    parts = {
        "feed": sql.Identifier(staging.live_schema, "entity_changes"),
        "live": _live(staging, staging.tables.root),
    }
    conn.execute(
        sql.SQL(
            "DELETE FROM {feed} WHERE year_month = %(month)s AND entity = %(entity)s"
            " AND change = 'rejected'"
        ).format(**parts),
        given,
    )
    conn.execute(
        sql.SQL(
            "INSERT INTO {feed} (year_month, entity, id, change)"
            " SELECT %(month)s, %(entity)s, id, 'rejected' FROM {live}"
            " WHERE id = ANY(%(ids)s::integer[]) AND NOT placeholder"
            " ON CONFLICT (year_month, entity, id) DO NOTHING"
        ).format(**parts),
        given,
    )


def log_rejected(conn: Connection, staging: Staging) -> None:
    """Write the month's rejected records where users look for them, in place of older ones."""
    columns = ("byte_offset", "record_id", "reason", "xml")
    _replace_months(conn, staging, "rejected_records", staging.extra(REJECTED), columns)


def rejected_reasons(
    conn: Connection, staging: Staging, shard: int, limit: int
) -> list[tuple[str, int, int | None]]:
    """Why records of a staged shard were rejected, how many, and the lowest id of them."""
    rows = conn.execute(
        sql.SQL(
            "SELECT reason, count(*), min(record_id) FROM {} WHERE shard = %s"
            " GROUP BY reason ORDER BY count(*) DESC, reason LIMIT %s"
        ).format(staging.extra(REJECTED)),
        [shard, limit],
    ).fetchall()
    return [(str(reason), int(count), record_id) for reason, count, record_id in rows]


def _plan_for_few_rows(conn: Connection, staging: Staging, memory: int) -> None:
    """Let the planner see how few rows there are, and that the live ones are read by key."""
    conn.execute("SET LOCAL default_statistics_target TO 10")
    for table in staging.tables.all:
        conn.execute(sql.SQL("ANALYZE {}").format(staging.table(table)))
    conn.execute(sql.SQL("ANALYZE {}").format(staging.extra(ABSENT)))
    conn.execute("SET LOCAL random_page_cost TO 1.1")
    # A merge join would read the whole of a live table's index for the few rows that it needs.
    conn.execute("SET LOCAL enable_mergejoin TO off")
    # One hash a statement, which takes hash_mem_multiplier (2) times as much; else it spills.
    conn.execute("SELECT set_config('work_mem', %s, true)", [f"{max(64, memory // 2048)}kB"])
    conn.execute("SET LOCAL jit TO off")


def _merge_children(
    conn: Connection, staging: Staging, table: Table, old_values: bool
) -> dict[str, int]:
    """Write what differs of a table; how many rows are new, changed and gone."""
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


def _mark_removed(conn: Connection, staging: Staging, place: MonthNeighbours) -> None:
    name = "mark_removed" if place.newest else "mark_removed_earlier"
    previous = place.before or place.month.plus(-1)
    conn.execute(
        compose(
            f"merge/{name}",
            live=_live(staging, staging.tables.root),
            absent=staging.extra(ABSENT),
        ),
        {"month": str(place.month), "previous": str(previous)},
    )


def _filter_out(conn: Connection, staging: Staging) -> int:
    """Make placeholders of loaded records that the filter leaves out; how many there are."""
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


def log_filtered(conn: Connection, staging: Staging) -> None:
    """Keep which records the filter left out of the month, in place of older notes."""
    source = staging.extra(LEFT_OUT)
    _replace_months(conn, staging, "filtered_records", source, ("shard", "ids"))


def _replace_months(
    conn: Connection, staging: Staging, table: str, source: sql.Identifier, columns: tuple[str, ...]
) -> None:
    """Put an entity's rows of the month, as they are staged, in place of those that are there.

    :param columns: beside the month and the entity; the rows are in the order of the first.
    """
    given = {"month": str(staging.month), "entity": str(staging.tables.entity)}
    target = sql.Identifier(staging.live_schema, table)
    conn.execute(
        sql.SQL("DELETE FROM {} WHERE year_month = %(month)s AND entity = %(entity)s").format(
            target
        ),
        given,
    )
    conn.execute(
        sql.SQL(
            "INSERT INTO {target} (year_month, entity, {columns})"
            " SELECT %(month)s, %(entity)s, {columns} FROM {source} ORDER BY {first}"
        ).format(
            target=target,
            columns=_columns(columns),
            source=source,
            first=sql.Identifier(columns[0]),
        ),
        given,
    )


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
