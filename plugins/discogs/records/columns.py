"""The Arrow columns of a block: the schema that both parsers fill, and columns derived from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from discogs.records.block import Findings, ParsedBlock, Rejected
from discogs.schema.model import DUMP_MONTH, FINGERPRINT, EntityMapping, Field, Rows
from discogs.schema.tables import Table, Type
from discogs.schema.values import name_id

#: White space as defined by XML; other spaces, such as U+00A0, are part of the text.
SPACE = " \t\r\n"

_ARROW: dict[Type, pa.DataType] = {
    Type.TEXT: pa.string(),
    Type.SMALLINT: pa.int16(),
    Type.INTEGER: pa.int32(),
    Type.BIGINT: pa.int64(),
    Type.BOOLEAN: pa.bool_(),
    Type.TEXT_ARRAY: pa.list_(pa.string()),
}


def table_fields(mapping: EntityMapping, table: Table) -> tuple[Field, ...]:
    """The fields of a table."""
    if table.name == mapping.root.name:
        return mapping.fields
    return next(rows.fields for rows, child in mapping.children() if child.name == table.name)


def arrow_schema(mapping: EntityMapping, table: Table) -> pa.Schema:
    """The columns that a parser fills: keys and fields, without derived columns."""
    fields = {field.column: field for field in table_fields(mapping, table)}
    derived = {
        column.name
        for field in fields.values()
        if field.derived
        for column in field.derived.columns
    }
    return pa.schema(
        [
            (
                column.name,
                _ARROW[fields[column.name].type if column.name in fields else column.type],
            )
            for column in table.columns
            if column.name not in derived and column.name not in ("fingerprint", "dump_month")
        ]
    )


def table_schema(table: Table) -> pa.Schema:
    """The columns of a table as :func:`finish` returns them, in the table's order."""
    return pa.schema(
        [
            pa.field(column.name, _ARROW[column.type], nullable=column.name not in table.key)
            for column in table.columns
            if column.name != DUMP_MONTH.name
        ]
    )


@dataclass(frozen=True)
class TableLayout:
    """A table, its fields, and the path of the elements that become its rows."""

    table: Table
    fields: tuple[Field, ...]
    path: str

    def path_of(self, field: Field) -> str:
        """The path of a field's element or attribute, such as ``release/videos/video/@src``."""
        return f"{self.path}/{field.path}" if field.path else self.path


@cache
def layouts(mapping: EntityMapping) -> tuple[TableLayout, ...]:
    """All tables of an entity, in the order in which they are written."""
    record = mapping.entity.record
    paths = {mapping.root.name: record, **dict(_paths(mapping.rows, record))}
    return tuple(
        TableLayout(table, table_fields(mapping, table), paths[table.name])
        for table in mapping.tables().all
    )


def _paths(rows: tuple[Rows, ...], above: str) -> Iterator[tuple[str, str]]:
    for row in rows:
        path = f"{above}/{row.path}"
        yield row.table, path
        yield from _paths(row.rows, path)


def finish(
    mapping: EntityMapping,
    batches: dict[str, pa.RecordBatch],
    fingerprints: npt.NDArray[np.int64],
    rejected: list[Rejected],
    findings: Findings,
) -> ParsedBlock:
    """Add the derived columns, so that the batches have the columns of the tables.

    :param fingerprints: one per row of the root table.
    :param findings: the parser's, to which counts are added.
    """
    names: dict[str, dict[int, str]] = {}
    tables: dict[str, pa.RecordBatch] = {}
    for layout in layouts(mapping):
        table, fields = layout.table, layout.fields
        batch = batches[table.name]
        columns: dict[str, pa.Array] = dict(zip(batch.schema.names, batch.columns, strict=True))
        for field in fields:
            column = columns[field.column]
            if field.by_name:
                columns[field.column] = _ids(column, names.setdefault(str(field.references), {}))
            elif field.references or field.zero_is_null:
                columns[field.column], negative = _without_zero(column)
                if negative:
                    findings.invalid[layout.path_of(field)] += negative
            if field.derived:
                columns.update(_derived(column, field))
        if table.name == str(mapping.entity):
            columns[FINGERPRINT.name] = pa.array(fingerprints)
        findings.filled[layout.path] += len(batch)
        for field in fields:
            if field.path:
                column = columns[field.column]
                findings.filled[layout.path_of(field)] += len(column) - column.null_count
        wanted = [name for name in table.names if name in columns]
        tables[table.name] = pa.RecordBatch.from_arrays([columns[n] for n in wanted], names=wanted)
    return ParsedBlock(tables, names, rejected, findings)


def convert(text: str, kind: Type) -> Any:
    """Convert a text to a column's type.

    :raises ValueError: when the text is not of the type, or out of its range.
    """
    return _CONVERT[kind](text)


def _integer(low: int, high: int) -> Callable[[str], int]:
    def converted(text: str) -> int:
        # Strips white space of all kinds, not only XML's.
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
            raise ValueError(text)
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return converted


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("true", "1", "yes", "on", "t", "y"):
        return True
    if lowered in ("false", "0", "no", "off", "f", "n"):
        return False
    raise ValueError(text)


_CONVERT: dict[Type, Callable[[str], Any]] = {
    Type.TEXT: str,
    Type.SMALLINT: _integer(-(2**15), 2**15 - 1),
    Type.INTEGER: _integer(-(2**31), 2**31 - 1),
    Type.BOOLEAN: _boolean,
}


def _without_zero(column: pa.Array) -> tuple[pa.Array, int]:
    """Replace 0, which stands for "none", and negative ids by NULL.

    :returns: the column, and the number of negative ids.
    """
    low = pc.min(column).as_py() if len(column) else None
    if low is None or low > 0:
        return column, 0
    negative = pc.sum(pc.less(column, 0)).as_py() if low < 0 else 0
    return pc.if_else(pc.greater(column, 0), column, pa.scalar(None, column.type)), negative


def _ids(column: pa.Array, names: dict[int, str]) -> pa.Array:
    """The ids of a column of names, which are added to ``names`` by their ids."""
    coded = column.dictionary_encode()
    texts: list[str] = coded.dictionary.to_pylist()
    ids = [name_id(text) for text in texts]
    names.update(zip(ids, texts, strict=True))
    return pa.array(ids, pa.int64()).take(coded.indices)


def _derived(column: pa.Array, field: Field) -> dict[str, pa.Array]:
    """The derived columns of a text column; each distinct text is parsed once."""
    assert field.derived is not None
    coded = column.dictionary_encode()
    texts: list[str] = coded.dictionary.to_pylist()
    parsed: list[tuple[Any, ...]] = [field.derived.parse(text) for text in texts]
    return {
        output.name: pa.array([values[i] for values in parsed], _ARROW[output.type]).take(
            coded.indices
        )
        for i, output in enumerate(field.derived.columns)
    }
