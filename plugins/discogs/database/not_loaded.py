"""The records of a month that were not loaded: rejected, or left out by the filter.

They are staged with the rows, and stored in tables for users.
"""

from __future__ import annotations

from collections.abc import Collection

from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.staging import LEFT_OUT, REJECTED, Staging


def store_rejected(conn: Connection, staging: Staging) -> None:
    """Write the month's rejected records to ``rejected_records``, in place of an earlier load's."""
    columns = ("byte_offset", "record_id", "reason", "xml")
    _replace_months(conn, staging, "rejected_records", staging.extra(REJECTED), columns)


def rejected_reasons(
    conn: Connection, staging: Staging, shard: int, limit: int
) -> list[tuple[str, int, int | None]]:
    """The reasons why records of a staged shard were rejected, most frequent first.

    :returns: reason, number of records, and the lowest of their ids, None when none has one.
    """
    rows = conn.execute(
        sql.SQL(
            "SELECT reason, count(*), min(record_id) FROM {} WHERE shard = %s"
            " GROUP BY reason ORDER BY count(*) DESC, reason LIMIT %s"
        ).format(staging.extra(REJECTED)),
        [shard, limit],
    ).fetchall()
    return [(str(reason), int(count), record_id) for reason, count, record_id in rows]


def store_left_out(conn: Connection, staging: Staging) -> None:
    """Write the ids that the filter left out of the month to ``filtered_records``, in place of an
    earlier load's."""
    source = staging.extra(LEFT_OUT)
    _replace_months(conn, staging, "filtered_records", source, ("shard", "ids"))


def store_unread(conn: Connection, staging: Staging, ids: Collection[int]) -> None:
    """Write to the change feed which stored records were not updated, since the dump's records with
    their ids could not be read.

    :param ids: of the unreadable records; not all need be stored.
    """
    given = {"month": str(staging.month), "entity": str(staging.tables.entity), "ids": list(ids)}
    parts = {
        "feed": sql.Identifier(staging.live_schema, "entity_changes"),
        "live": sql.Identifier(staging.live_schema, staging.tables.root.name),
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


def _replace_months(
    conn: Connection, staging: Staging, table: str, source: sql.Identifier, columns: tuple[str, ...]
) -> None:
    """Replace a table's rows of the month and the entity by the staged ones.

    :param columns: the columns besides month and entity; rows are inserted in the order of the
        first.
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
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            source=source,
            first=sql.Identifier(columns[0]),
        ),
        given,
    )
