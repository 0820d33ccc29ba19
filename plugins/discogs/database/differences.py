"""SQL expressions for the columns in which a live row ``l`` and a staged row ``s`` differ."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from discogs.schema.tables import Table

#: The expression when old values are not to be stored.
NO_VALUES = sql.SQL("NULL::jsonb")


def changed_bits(names: Sequence[str]) -> sql.Composed:
    """An integer with a bit for each column that differs, cheaper to aggregate than their names."""
    bits = [
        sql.SQL("CASE WHEN {} THEN {} ELSE 0 END").format(_differs(name), sql.Literal(1 << n))
        for n, name in enumerate(names)
    ]
    return sql.SQL("({})").format(sql.SQL(" | ").join(bits))


def changed_columns(table: str, names: Sequence[str]) -> sql.Composed:
    """An array of the columns whose bits are set in ``changed_bits``, as ``table.column``."""
    found = [
        sql.SQL("CASE WHEN changed_bits & {} <> 0 THEN {} END").format(
            sql.Literal(1 << n), sql.Literal(f"{table}.{name}")
        )
        for n, name in enumerate(names)
    ]
    return sql.SQL("array_remove(ARRAY[{}], NULL)").format(sql.SQL(", ").join(found))


def old_values(names: Sequence[str]) -> sql.Composed:
    """The live row's values of the columns that differ, as a JSON object."""
    return sql.SQL(
        "(SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(l)) AS e"
        " WHERE e.key = ANY ({}))"
    ).format(_names_that_differ(names))


def old_row(table: Table) -> sql.Composed:
    """The old values of a child row and its key within the record, as a JSON object: of a row that
    is gone the whole row, of a new row NULL."""
    return sql.SQL(
        "CASE WHEN s.{parent} IS NULL THEN to_jsonb(l) - {name} WHEN l.{parent} IS NOT NULL THEN"
        " (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(l)) AS e"
        " WHERE e.key = ANY ({key}) OR e.key = ANY ({names})) END"
    ).format(
        parent=sql.Identifier(table.key[0]),
        name=sql.Literal(table.key[0]),
        key=sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(sql.Literal, table.key[1:]))),
        names=_names_that_differ(table.values),
    )


def _differs(name: str) -> sql.Composed:
    return sql.SQL("l.{0} IS DISTINCT FROM s.{0}").format(sql.Identifier(name))


def _names_that_differ(names: Sequence[str]) -> sql.Composed:
    found = [
        sql.SQL("CASE WHEN {} THEN {} END").format(_differs(name), sql.Literal(name))
        for name in names
    ]
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(found))
