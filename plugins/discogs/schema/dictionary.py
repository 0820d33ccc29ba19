"""The data dictionary: the tables and columns, their meaning, and their source in the dump.

Computed from the mapping, for the comments in the database and for the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import DUMP_MONTH, FINGERPRINT, STATE, EntityMapping, Field, Rows
from discogs.schema.tables import Column


@dataclass(frozen=True)
class DescribedColumn:
    """A column.

    :param path: the path of its element or attribute, from the record's element, such as
        ``release/tracklist/track/title``; None for a column that the load computes.
    """

    name: str
    type: str
    about: str
    path: str | None = None
    references: str | None = None

    @property
    def comment(self) -> str:
        """The text of the column's comment in the database."""
        return self.about if self.path is None else f"{self.about} (XML: {self.path})"


@dataclass(frozen=True)
class DescribedTable:
    """A table; ``path`` is the path of the elements that become its rows."""

    entity: Entity | None
    name: str
    about: str
    path: str | None
    key: tuple[str, ...]
    columns: tuple[DescribedColumn, ...]

    @property
    def comment(self) -> str:
        """The text of the table's comment in the database."""
        return self.about if self.path is None else f"{self.about} (XML: {self.path})"


def tables() -> list[DescribedTable]:
    """The tables of genres and styles, then those of each entity, parents before children."""
    found: list[DescribedTable] = []
    for mapping in MAPPINGS.values():
        found += _entity(mapping)
    names = {name for mapping in MAPPINGS.values() for name in mapping.tables().names_tables}
    return [*(_names(name) for name in sorted(names)), *found]


def _names(table: str) -> DescribedTable:
    columns = (
        DescribedColumn("id", "bigint", "computed from the name; the same in every database"),
        DescribedColumn("name", "text", f"name of the {table.removesuffix('s')}"),
    )
    return DescribedTable(None, table, f"names of {table}", None, ("id",), columns)


def _entity(mapping: EntityMapping) -> Iterator[DescribedTable]:
    record = mapping.entity.record
    written = {column.name: column for column in (FINGERPRINT, DUMP_MONTH)}
    paths = _paths(record, mapping.fields)
    columns = [
        DescribedColumn(
            "id", "integer", f"Discogs' id of the {record}", f"{record}/{mapping.id_path}"
        )
    ]
    for column in mapping.root.columns[1:]:
        columns.append(_column(column, paths if column.name not in written else {}))
    columns += [_column(column, {}) for column in STATE]
    yield DescribedTable(
        mapping.entity, mapping.root.name, mapping.about, record, ("id",), tuple(columns)
    )
    yield from _below(
        mapping, mapping.rows, record, ((mapping.parent_column, f"id of the {record}"),)
    )


def _below(
    mapping: EntityMapping,
    rows: tuple[Rows, ...],
    above: str,
    keys: tuple[tuple[str, str], ...],
) -> Iterator[DescribedTable]:
    tables = {table.name: table for _, table in mapping.children()}
    for row in rows:
        path = f"{above}/{row.path}"
        paths = _paths(path, row.fields)
        around = above.rpartition("/")[2] if "/" in above else "record"
        what = dict(keys) | {"seq": f"position in the {around}, from 1"}
        if row.nests:
            what["parent_seq"] = "seq of the track that contains this one; NULL at the top level"
        table = tables[row.table]
        columns = [
            DescribedColumn(column.name, column.type.value, what[column.name])
            if column.name in what
            else _column(column, paths)
            for column in table.columns
        ]
        yield DescribedTable(mapping.entity, row.table, row.about, path, table.key, tuple(columns))
        yield from _below(
            mapping, row.rows, path, (*keys, (row.ordinal, f"seq of the row in {row.table}"))
        )


def _column(column: Column, paths: dict[str, str]) -> DescribedColumn:
    return DescribedColumn(
        column.name, column.type.value, column.about, paths.get(column.name), column.references
    )


def _paths(above: str, fields: tuple[Field, ...]) -> dict[str, str]:
    return {
        column.name: f"{above}/{field.path}" if field.path else above
        for field in fields
        for column in field.output
    }
