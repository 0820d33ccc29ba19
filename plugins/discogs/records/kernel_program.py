"""The kernel's program: the mapping of an entity, encoded as tables of integers.

Only this module and ``kernel/kernel.c`` depend on the encoding; a new field changes neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from discogs.schema.model import EntityMapping, Field, Rows
from discogs.schema.tables import Type

NONE = -1


class _Content(IntEnum):
    """What an element contains: only elements, the text of a column, the text of the ``before``
    sibling of another element, or text that is ignored."""

    ELEMENTS = 0
    COLUMN = 1
    BEFORE = 2
    IGNORED = 3


class _Owner(IntEnum):
    """How a row refers to the row around it: not at all, by that row's ``seq``, by its position in
    the table, or not allowed, since the row is nested too deep."""

    RECORD = 0
    SEQ = 1
    NUMBER = 2
    DEEPER = 3


#: The codes of the types; the items of a list are texts.
_TYPES = {
    Type.TEXT: 0,
    Type.TEXT_ARRAY: 0,
    Type.INTEGER: 1,
    Type.SMALLINT: 2,
    Type.BOOLEAN: 3,
}


class ProgramColumn(NamedTuple):
    """A column that the kernel fills."""

    name: str
    type: Type


@dataclass
class ProgramTable:
    """A table that the kernel fills: one of the mapping's, or the items of a list column.

    :param per_record: whether ``seq`` counts the rows of the record, not of the row around them.
    """

    name: str
    per_record: bool = False
    columns: list[ProgramColumn] = field(default_factory=list)

    def column(self, item: Field) -> int:
        """The position of a field's column, which is added if it is new."""
        column = ProgramColumn(item.column, item.type)
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)


@dataclass
class _Node:
    """An element that the mapping reads."""

    name: str
    #: Such as ``release/artists/artist``.
    path: str
    children: list[_Node] = field(default_factory=list)
    attributes: dict[str, tuple[int, Type]] = field(default_factory=dict)
    table: int = NONE
    owner: _Owner = _Owner.RECORD
    content: _Content = _Content.ELEMENTS
    column: int = NONE
    type: Type = Type.TEXT
    before: _Node | None = None

    def at(self, path: str) -> _Node:
        """The element at a path below this one, which is added if it is new."""
        node = self
        for name in filter(None, path.split("/")):
            child = next((child for child in node.children if child.name == name), None)
            if child is None:
                child = _Node(name, f"{node.path}/{name}" if node.path else name)
                node.children.append(child)
            node = child
        return node


class Program:
    """The program of one entity.

    :param mapping: rows may be nested once in rows of another table, and once in rows of the same
        table.
    :raises ValueError: for a mapping with rows that are nested deeper.
    """

    def __init__(self, mapping: EntityMapping) -> None:
        self.tables: list[ProgramTable] = []
        #: The node around the records, which is the first node.
        self._outside = _Node("", "")
        record = self._outside.at(mapping.entity.record)
        record.table = self._table(mapping.root.name)
        for item in mapping.fields:
            self._field(record, record.table, item)
        self._ignore(record, mapping.id_path)
        self._add_rows(record, mapping.rows, _Owner.RECORD)
        self.nodes = list(_walk(self._outside))

    @property
    def paths(self) -> list[str]:
        """The path of each element, by its number."""
        return [node.path for node in self.nodes]

    def words(self) -> bytes:
        """The encoded program."""
        names = bytearray()
        numbers = {id(node): number for number, node in enumerate(self.nodes)}
        nodes: list[list[int]] = []
        attributes: list[list[int]] = []

        def name(text: str) -> list[int]:
            encoded = text.encode()
            names.extend(encoded)
            return [len(names) - len(encoded), len(encoded)]

        siblings = {
            id(one): numbers[id(other)]
            for node in self.nodes
            for one, other in zip(node.children, node.children[1:], strict=False)
        }
        for node in self.nodes:
            first = len(attributes)
            for attribute, (column, kind) in node.attributes.items():
                attributes.append([*name(attribute), column, _TYPES[kind]])
            nodes.append(
                [
                    *name(node.name),
                    numbers[id(node.children[0])] if node.children else NONE,
                    siblings.get(id(node), NONE),
                    node.table,
                    node.owner,
                    node.content,
                    node.column,
                    _TYPES[node.type],
                    numbers[id(node.before)] if node.before else NONE,
                    first,
                    len(node.attributes),
                ]
            )
        starts = np.cumsum([0, *(len(table.columns) for table in self.tables)]).tolist()
        shapes = [
            [start, len(table.columns), table.per_record]
            for start, table in zip(starts, self.tables, strict=False)
        ]
        types = [[_TYPES[c.type] for table in self.tables for c in table.columns]]
        rows = [*nodes, *attributes, *shapes, *types]
        return np.array([word for row in rows for word in row], "<i4").tobytes() + bytes(names)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The numbers of nodes, attributes, tables and columns."""
        return (
            len(self.nodes),
            sum(len(node.attributes) for node in self.nodes),
            len(self.tables),
            sum(len(table.columns) for table in self.tables),
        )

    @property
    def layout_words(self) -> int:
        """How many words describe the tables and columns of a parsed block."""
        _, _, tables, columns = self.counts
        return 4 * tables + 5 * columns

    def _table(self, name: str, *, per_record: bool = False) -> int:
        """The number of a table, which is added if it is new."""
        for number, table in enumerate(self.tables):
            if table.name == name:
                return number
        self.tables.append(ProgramTable(name, per_record))
        return len(self.tables) - 1

    def _field(self, node: _Node, table: int, item: Field) -> None:
        path, at, attribute = item.path.rpartition("@")
        element = node.at(path if at else item.path)
        column = self.tables[table].column(item)
        if at:
            element.attributes[attribute] = (column, item.type)
        else:
            element.content, element.column, element.type = _Content.COLUMN, column, item.type

    def _ignore(self, record: _Node, path: str) -> None:
        """Ignore the element or attribute of the id, which the scanner has read."""
        path, at, attribute = path.rpartition("@") if "@" in path else (path, "", "")
        element = record.at(path)
        if at:
            element.attributes[attribute] = (NONE, Type.TEXT)
        else:
            element.content = _Content.IGNORED

    def _add_rows(self, node: _Node, all_rows: tuple[Rows, ...], owner: _Owner) -> None:
        for rows in all_rows:
            element = node.at(rows.path)
            self._add(rows, element, owner)
            for item in rows.fields:
                if item.before:
                    before = node.at(rows.container).at(item.before)
                    before.content, before.type = _Content.BEFORE, item.type
                    before.column = self.tables[element.table].column(item)
                    element.before = before
            if rows.nests:
                inner = element.at(rows.nests)
                self._add(rows, inner, _Owner.SEQ)
                deeper = inner.at(rows.nests)
                deeper.table, deeper.owner = inner.table, _Owner.DEEPER

    def _add(self, rows: Rows, element: _Node, owner: _Owner) -> None:
        if rows.rows and owner is not _Owner.RECORD and not rows.nests:
            raise ValueError(f"rows below those of {rows.table} are nested too deep for the kernel")
        element.table = self._table(rows.table, per_record=rows.nests is not None)
        element.owner = owner
        for item in rows.fields:
            if item.type is Type.TEXT_ARRAY:
                items = element.at(item.path)
                items.table = self._table(list_table(rows.table, item.column))
                items.owner = _Owner.NUMBER
                items.content = _Content.COLUMN
                items.column = self.tables[items.table].column(item)
            else:
                self._field(element, element.table, item)
        self._add_rows(element, rows.rows, _Owner.SEQ)


def list_table(table: str, column: str) -> str:
    """The name of the table of a list column's items."""
    return f"{table}.{column}"


def _walk(node: _Node) -> list[_Node]:
    return [node, *(below for child in node.children for below in _walk(child))]
