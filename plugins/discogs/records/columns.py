"""Arrow columns of a block: the schema that both parsers fill, and what is derived from it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from discogs.records.block import ParsedBlock, Rejected
from discogs.schema.model import FINGERPRINT, EntityMapping, Field
from discogs.schema.tables import Table, Type
from discogs.schema.values import name_id

#: White space as XML defines it; other spaces, such as U+00A0, belong to the text.
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
    """The dump's fields of one table."""
    if table.name == mapping.root.name:
        return mapping.fields
    return next(rows.fields for rows, child in mapping.children() if child.name == table.name)


def arrow_schema(mapping: EntityMapping, table: Table) -> pa.Schema:
    """The columns as a parser fills them: keys and fields, nothing derived yet."""
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


@cache
def _layout(mapping: EntityMapping) -> tuple[tuple[Table, tuple[Field, ...]], ...]:
    """Every table with its fields; asked for each block."""
    return tuple((table, table_fields(mapping, table)) for table in mapping.tables().all)


def finish(
    mapping: EntityMapping,
    batches: dict[str, pa.RecordBatch],
    fingerprints: npt.NDArray[np.int64],
    rejected: list[Rejected],
) -> ParsedBlock:
    """Add what is computed from the fields, so that the columns are those of the tables.

    :param fingerprints: one a row of the root table.
    """
    names: dict[str, dict[int, str]] = {}
    tables: dict[str, pa.RecordBatch] = {}
    for table, fields in _layout(mapping):
        batch = batches[table.name]
        columns: dict[str, pa.Array] = dict(zip(batch.schema.names, batch.columns, strict=True))
        for field in fields:
            column = columns[field.column]
            if field.by_name:
                columns[field.column] = _ids(column, names.setdefault(str(field.references), {}))
            elif field.references or field.zero_is_null:
                columns[field.column] = _without_zero(column)
            if field.derived:
                columns.update(_derived(column, field))
        if table.name == str(mapping.entity):
            columns[FINGERPRINT.name] = pa.array(fingerprints)
        wanted = [name for name in table.names if name in columns]
        tables[table.name] = pa.RecordBatch.from_arrays([columns[n] for n in wanted], names=wanted)
    return ParsedBlock(tables, names, rejected)


def _without_zero(column: pa.Array) -> pa.Array:
    """Ids of 0 (and below) as NULL: they stand for "none"."""
    if not len(column) or pc.min(column).as_py() is None or pc.min(column).as_py() > 0:
        return column
    return pc.if_else(pc.greater(column, 0), column, pa.scalar(None, column.type))


def _ids(column: pa.Array, names: dict[int, str]) -> pa.Array:
    """The ids of names; ``names`` collects which name each id stands for."""
    coded = column.dictionary_encode()
    texts: list[str] = coded.dictionary.to_pylist()
    ids = [name_id(text) for text in texts]
    names.update(zip(ids, texts, strict=True))
    return pa.array(ids, pa.int64()).take(coded.indices)


def _derived(column: pa.Array, field: Field) -> dict[str, pa.Array]:
    """Columns parsed from a text column, each distinct text once."""
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
