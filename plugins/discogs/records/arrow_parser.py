"""ArrowParser: xml2arrow on whole blocks, configured by the mapping.

It reads well-formed blocks of the shapes that the mapping declares, with the GIL released;
anything beyond that is unsupported, and LxmlParser reads the block.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xml2arrow import Xml2ArrowError, XmlToArrowParser

from discogs.records.block import Block, Findings, ParsedBlock
from discogs.records.columns import (
    SPACE,
    TableLayout,
    arrow_schema,
    convert,
    finish,
    is_plain_number,
    layouts,
)
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import EntityMapping, Field, Rows
from discogs.schema.tables import Type

_DTYPES = {
    Type.TEXT: "Utf8",
    Type.SMALLINT: "Int16",
    Type.INTEGER: "Int32",
    Type.BOOLEAN: "Boolean",
}

#: What a whole number is to every parser; anything else is looked at by itself.
_NUMBER = "^[0-9]{1,9}$"

Ordinals = npt.NDArray[np.int64]

_IS_SPACE = np.zeros(256, np.bool_)
_IS_SPACE[list(SPACE.encode())] = True


class Unsupported(Exception):
    """A block that ArrowParser does not read: it is left to LxmlParser."""


@dataclass(frozen=True)
class _TablePath:
    """Where the file has the rows of one table: at their path, or nested once more."""

    name: str
    path: tuple[str, ...]
    levels: tuple[str, ...]
    fields: tuple[Field, ...]


class ArrowParser:
    """Parses blocks of one entity; one instance may be shared by threads."""

    def __init__(self, entity: Entity) -> None:
        self.mapping: EntityMapping = MAPPINGS[entity]
        self.root = str(entity)
        self.open = f"<{entity}>".encode()
        self.close = f"</{entity}>".encode()
        self.layouts = {layout.table.name: layout for layout in layouts(self.mapping)}
        self.schemas = {t.name: arrow_schema(self.mapping, t) for t in self.mapping.tables().all}
        self.parser = _compiled(self.mapping)

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block.

        :raises Unsupported: when any of its records needs LxmlParser.
        """
        data = block.data
        if b"\0" in data:
            raise Unsupported("NUL")
        if b"\r" in data:
            # XML's own rule for line ends, which the parser leaves to its caller.
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        try:
            found = self.parser.parse(b"".join((self.open, data, self.close)))
        except (Xml2ArrowError, TypeError, ValueError) as error:
            # Of bytes that are no UTF-8 it raises a TypeError, as it fails to make its own error.
            raise Unsupported(str(error)) from error
        root = found[self.root]
        if root["id"].null_count or not np.array_equal(_numpy(root["id"]), block.ids):
            raise Unsupported("its records are not those that were scanned")
        findings = Findings()
        invalid = findings.invalid
        batches = {self.root: self._batch(self.root, root, {}, invalid)}
        ids = block.ids
        for rows in self.mapping.rows:
            self._rows(rows, found, ids, batches, data, invalid)
        for name, batch in batches.items():
            _check_filled(self.layouts[name], batch)
        return finish(self.mapping, batches, block.fingerprints, [], findings)

    def _rows(
        self,
        rows: Rows,
        found: dict[str, pa.RecordBatch],
        ids: npt.NDArray[np.int32],
        batches: dict[str, pa.RecordBatch],
        data: bytes,
        invalid: Counter[str],
    ) -> None:
        batch = found[rows.table]
        record = _numpy(batch.column(0)).astype(np.int64)
        position = _positions(record)
        keys: dict[str, Any] = {self.mapping.parent_column: ids[record]}
        lists = self._lists(rows, rows.table, found, record)
        if not rows.nests:
            keys["seq"] = (position + 1).astype(np.int32)
            batches[rows.table] = self._batch(rows.table, batch, {**keys, **lists}, invalid)
            self._check_older_forms(rows, batch, data)
            return
        if not np.array_equal(_numpy(batch.column(1)), position):
            raise Unsupported(f"{rows.container} stands more than once in a record")
        if found[_nested(rows.table, 2)].num_rows:
            raise Unsupported(f"{rows.nests} nests deeper than once")
        first = np.searchsorted(record, np.arange(len(ids)))
        inner = found[_nested(rows.table, 1)]
        outer_row = first[_numpy(inner.column(0))] + _numpy(inner.column(1))
        inner_position = _positions(outer_row)
        if not np.array_equal(_numpy(inner.column(2)), inner_position):
            raise Unsupported(f"{rows.nests} stands more than once in a row")
        # Document order: a row counts after all inner rows of the rows before it.
        inside = np.bincount(outer_row, minlength=len(record))
        before = np.cumsum(inside) - inside
        start = first[record] if len(record) else record
        seq = position + before - before[start] + 1 if len(record) else position
        inner_seq = seq[outer_row] + inner_position + 1
        upper = self._batch(
            rows.table,
            batch,
            {
                **keys,
                "seq": seq.astype(np.int32),
                "parent_seq": pa.nulls(len(record), pa.int32()),
                **lists,
            },
            invalid,
        )
        lower = self._batch(
            rows.table,
            inner,
            {
                self.mapping.parent_column: ids[record[outer_row]],
                "seq": inner_seq.astype(np.int32),
                "parent_seq": seq[outer_row].astype(np.int32),
                **self._lists(rows, _nested(rows.table, 1), found, outer_row),
            },
            invalid,
        )
        batches[rows.table] = _joined(upper, lower)
        inner_first = np.searchsorted(outer_row, np.arange(len(record)))
        for below in rows.rows:
            parts = []
            for name, depth in ((below.table, 0), (_nested(below.table, 1), 1)):
                part = found[name]
                row = first[_numpy(part.column(0))] + _numpy(part.column(1))
                if depth:
                    row = inner_first[row] + _numpy(part.column(2))
                owner = outer_row[row] if depth else row
                parts.append(
                    self._batch(
                        below.table,
                        part,
                        {
                            self.mapping.parent_column: ids[record[owner]],
                            rows.ordinal: (inner_seq if depth else seq)[row].astype(np.int32),
                            "seq": (_positions(row) + 1).astype(np.int32),
                        },
                        invalid,
                    )
                )
            batches[below.table] = _joined(*parts)

    def _lists(
        self, rows: Rows, name: str, found: dict[str, pa.RecordBatch], record: Ordinals
    ) -> dict[str, pa.Array]:
        """The columns of one table that hold lists of texts."""
        lists = {}
        for field in rows.fields:
            if field.type is not Type.TEXT_ARRAY:
                continue
            batch = found[f"{name}.{field.column}"]
            first = np.searchsorted(record, np.arange(int(record[-1]) + 1 if len(record) else 0))
            values = _trimmed(batch.column(batch.num_columns - 1))
            row = first[_numpy(batch.column(0))] + _numpy(batch.column(1))
            full = values.is_valid().to_numpy(zero_copy_only=False)
            sizes = np.bincount(row[full], minlength=len(record))
            if not np.all(row[1:] >= row[:-1]):
                raise Unsupported(f"{rows.container} stands more than once in a record")
            ends = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
            lists[field.column] = pa.ListArray.from_arrays(
                pa.array(ends), values.drop_null(), mask=pa.array(sizes == 0)
            )
        return lists

    def _batch(
        self,
        table: str,
        batch: pa.RecordBatch,
        computed: dict[str, Any],
        invalid: Counter[str],
    ) -> pa.RecordBatch:
        schema, layout = self.schemas[table], self.layouts[table]
        fields = {field.column: field for field in layout.fields}
        columns = []
        for column in schema:
            if column.name in computed:
                values = computed[column.name]
                columns.append(values if isinstance(values, pa.Array) else pa.array(values))
                continue
            values = batch.column(column.name)
            if values.type == pa.string():
                values = _trimmed(values)
            if values.type != column.type:
                field = fields[column.name]
                values = _numbers(values, field, column.type, invalid, layout.path_of(field))
            columns.append(values)
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _check_older_forms(self, rows: Rows, batch: pa.RecordBatch, data: bytes) -> None:
        for field in rows.fields:
            if field.before and batch.column(field.column).null_count:
                form = f"<{rows.container}><{field.before}>".encode()
                if form in data:
                    raise Unsupported(f"{rows.container} is written in an older form")


def _check_filled(layout: TableLayout, batch: pa.RecordBatch) -> None:
    """:raises Unsupported: when a row has no value: its element may be one that makes no row."""
    if layout.table.key == ("id",) or not batch.num_rows:
        return
    columns = [batch.column(field.column) for field in layout.fields]
    if all(column.null_count for column in columns):
        empty = np.logical_and.reduce([_numpy(column.is_null()) for column in columns])
        if empty.any():
            raise Unsupported(f"a row of {layout.table.name} has no value")


def _numbers(
    texts: pa.Array, field: Field, kind: pa.DataType, invalid: Counter[str], path: str
) -> pa.Array:
    """Texts as numbers; what is none becomes NULL and is counted."""
    if texts.null_count == len(texts) or pc.all(pc.match_substring_regex(texts, _NUMBER)).as_py():
        return texts.cast(kind)
    values = []
    for text in texts.to_pylist():
        try:
            values.append(None if text is None else convert(text, field.type))
        except ValueError:
            invalid[path] += 1
            values.append(None)
    return pa.array(values, kind)


def _nested(table: str, depth: int) -> str:
    return f"{table}/{depth}"


def _numpy(column: pa.Array) -> npt.NDArray[Any]:
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _positions(group: Ordinals) -> Ordinals:
    """The position of each row in its group, from 0; the rows of a group are neighbours."""
    size = len(group)
    starts = np.zeros(size, dtype=np.int64)
    edges = np.flatnonzero(group[1:] != group[:-1]) + 1
    starts[edges] = edges
    return np.arange(size, dtype=np.int64) - np.maximum.accumulate(starts)


def _trimmed(column: pa.Array) -> pa.Array:
    """The texts without white space at their ends; empty ones are NULL.

    Most columns need nothing: the first and the last byte of each text show it without a copy.
    """
    size = len(column)
    if not size:
        return column
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int32, size + 1, column.offset * 4)
    if bounds[0] == bounds[-1]:
        return pa.nulls(size, pa.string())
    text = np.frombuffer(data, np.uint8)
    starts, ends = bounds[:-1], bounds[1:]
    filled = ends > starts
    last = len(text) - 1
    spaced = _IS_SPACE[text[np.minimum(starts, last)]] | _IS_SPACE[text[ends - 1]]
    if (spaced & filled).any():
        column = pc.utf8_trim(column, SPACE)
    elif column.null_count == size - np.count_nonzero(filled):
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _joined(*batches: pa.RecordBatch) -> pa.RecordBatch:
    filled = [batch for batch in batches if batch.num_rows] or [batches[0]]
    return filled[0] if len(filled) == 1 else pa.concat_batches(filled)


def _table_paths(mapping: EntityMapping) -> Iterator[_TablePath]:
    """Every table of the parser's configuration, those of nested rows included."""
    base = (str(mapping.entity), mapping.entity.record)
    number = Field("id", mapping.id_path, Type.INTEGER, zero_is_null=True)
    root_fields = (number, *mapping.fields)
    yield _TablePath(mapping.root.name, base, (), root_fields)

    def below(
        rows: tuple[Rows, ...], path: tuple[str, ...], levels: tuple[str, ...], suffix: str
    ) -> Iterator[_TablePath]:
        for row in rows:
            here = (*path, *row.path.split("/"))
            depths = range(3) if row.nests else range(1)
            above = levels
            for depth in depths:
                if depth:
                    assert row.nests is not None
                    here = (*here, *row.nests.split("/"))
                own = (*above, f"{row.element}{depth}")
                mark = suffix if not depth else f"/{depth}"
                yield _TablePath(f"{row.table}{mark}", here, own, row.fields)
                for field in row.fields:
                    if field.type is Type.TEXT_ARRAY:
                        inner = (Field(field.column, ""),)
                        name = f"{row.table}{mark}.{field.column}"
                        yield _TablePath(
                            name, (*here, *field.path.split("/")), (*own, "item"), inner
                        )
                yield from below(row.rows, here, own, mark)
                above = own

    yield from below(mapping.rows, base, (mapping.entity.record,), "")


def _compiled(mapping: EntityMapping) -> XmlToArrowParser:
    """The parser for one entity; its configuration is YAML, of which JSON is a part."""
    tables = []
    for table in _table_paths(mapping):
        path = "/" + "/".join(table.path)
        fields = [
            {
                "name": field.column,
                "xml_path": f"{path}/{field.path}" if field.path else path,
                # It would read a sign without digits as 0.
                "data_type": "Utf8" if is_plain_number(field) else _DTYPES[field.type],
                "nullable": True,
            }
            for field in table.fields
            if field.type is not Type.TEXT_ARRAY
        ]
        container = "/" + "/".join(table.path[:-1])
        tables.append(
            {
                "name": table.name,
                "xml_path": container,
                "levels": list(table.levels),
                "fields": fields,
            }
        )
    options = {"validate_attributes": True, "strip_namespaces": False}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mapping.yaml"
        config.write_text(json.dumps({"parser_options": options, "tables": tables}))
        return XmlToArrowParser(config)
