"""Applying a filter to a parsed block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from discogs.records.block import ParsedBlock
from discogs.schema.filters import ANY, Condition, Filter
from discogs.schema.tables import EntityTables


def apply(
    conditions: Filter, tables: EntityTables, parsed: ParsedBlock
) -> tuple[ParsedBlock, npt.NDArray[np.int32]]:
    """Keep the records that fulfil all conditions.

    :param conditions: of the block's entity.
    :returns: the block with the rows and names of these records, and the ids of the other records.
    """
    ids = parsed.tables[tables.root.name].column("id")
    keep = np.ones(len(ids), np.bool_)
    for condition in conditions.conditions:
        keep &= _fulfilled(condition, tables, parsed, ids)
    left_out: npt.NDArray[np.int32] = ids.to_numpy()[~keep]
    if not len(left_out):
        return parsed, left_out
    kept = ids.filter(pa.array(keep))
    rows = {table.name: _of(parsed.tables[table.name], table.key[0], kept) for table in tables.all}
    used: dict[str, set[int]] = {kind: set() for kind in parsed.names}
    for table in tables.children:
        for column in table.references:
            if column.references in used:
                found = rows[table.name].column(column.name)
                used[column.references].update(pc.unique(found).to_pylist())
    names = {
        kind: {number: text for number, text in found.items() if number in used[kind]}
        for kind, found in parsed.names.items()
    }
    return ParsedBlock(rows, names, parsed.rejected, parsed.findings), left_out


def _of(batch: pa.RecordBatch, column: str, ids: pa.Array) -> pa.RecordBatch:
    return batch.filter(pc.is_in(batch.column(column), value_set=ids))


def _fulfilled(
    condition: Condition, tables: EntityTables, parsed: ParsedBlock, ids: pa.Array
) -> npt.NDArray[np.bool_]:
    """Which records fulfil a condition, an entry per record."""
    batch = parsed.tables[condition.field.table]
    has = _has(condition, batch.column(condition.field.column), parsed)
    if condition.field.table != tables.root.name:
        table = next(table for table in tables.children if table.name == condition.field.table)
        has = pc.is_in(ids, value_set=batch.column(table.key[0]).filter(has))
    found: npt.NDArray[np.bool_] = has.to_numpy(zero_copy_only=False).astype(np.bool_)
    return ~found if condition.negated else found


def _has(condition: Condition, column: pa.Array, parsed: ParsedBlock) -> pa.Array:
    """Which rows have one of the condition's values."""
    if ANY in condition.values:
        return pc.is_valid(column)
    values: pa.Array
    if condition.field.number:
        values = pa.array([int(value) for value in condition.values], pa.int64())
        column = column.cast(pa.int64())
    elif pa.types.is_integer(column.type):  # the id of a name
        known = {n: text for names in parsed.names.values() for n, text in names.items()}
        wanted = [n for n, text in known.items() if text.lower() in condition.values]
        values = pa.array(wanted, column.type)
    else:
        values = pa.array(condition.values, pa.string())
        column = pc.utf8_lower(column)
    return pc.is_in(column, value_set=values, skip_nulls=True)
