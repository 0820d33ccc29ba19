"""The vocabulary of the mapping: fields, rows below rows, and one entity's whole shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from discogs.schema.entities import Entity
from discogs.schema.tables import Column, EntityTables, Table, Type

# Written by the load itself; every root table has them.
FINGERPRINT = Column(
    "fingerprint",
    Type.BIGINT,
    about="64-bit xxh3 hash of the record's bytes, by which unchanged records are recognised",
)
DUMP_MONTH = Column("dump_month", Type.TEXT, about="month (YYYY-MM) whose load wrote the row")
#: Kept by the merge in every root table, beside the columns that COPY fills.
STATE = (
    Column(
        "placeholder",
        Type.BOOLEAN,
        about="true if records refer to this id and no loaded dump has a record of it",
    ),
    Column(
        "removed_in",
        Type.TEXT,
        about="first loaded month (YYYY-MM) whose dump lacks the record; NULL for a live record",
    ),
    Column(
        "last_seen",
        Type.TEXT,
        about="for a removed record, last loaded month (YYYY-MM) whose dump has it",
    ),
)


@dataclass(frozen=True)
class Derived:
    """Columns computed from one field's text: ``parse`` gives one value a column."""

    columns: tuple[Column, ...]
    parse: Callable[[str], tuple[int | None, ...]]
    #: Raise it when ``parse`` gives other values for the same text: the next month then reads
    #: every record of the entities that use it.
    version: int = 1


@dataclass(frozen=True)
class Field:
    """One value of the dump.

    ``path`` leads from the row's element: ``title`` a child, ``@id`` an attribute,
    ``parentLabel/@id`` a child's attribute, the empty path the element's own text.
    """

    column: str
    path: str
    type: Type = Type.TEXT
    #: The table whose ``id`` this is; 0 and absent are NULL.
    references: str | None = None
    #: The text is a name in the referenced table, whose id is computed from it.
    by_name: bool = False
    #: Zero means "unknown" and becomes NULL.
    zero_is_null: bool = False
    #: A sibling before the row's element that holds the value where ``path`` does not.
    before: str | None = None
    derived: Derived | None = None
    #: What the column holds, for its comment in the database.
    about: str = dataclasses.field(default="", compare=False)

    @property
    def output(self) -> tuple[Column, ...]:
        """The columns that this field fills."""
        kind = Type.BIGINT if self.by_name else self.type
        columns = self.derived.columns if self.derived else ()
        return (Column(self.column, kind, self.references, self.about), *columns)


@dataclass(frozen=True)
class Rows:
    """A child table: one row for each element at ``path`` below its parent's element.

    ``nests`` is the path, below the row's element, of rows of the same table; they get a
    ``seq`` in document order and point to the row around them by ``parent_seq``.
    """

    table: str
    path: str
    fields: tuple[Field, ...]
    rows: tuple[Rows, ...] = ()
    nests: str | None = None
    #: The name of this table's ordinal in the keys of the rows below it.
    ordinal: str = "seq"
    #: What a row is, for the table's comment in the database.
    about: str = dataclasses.field(default="", compare=False)

    @property
    def container(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def element(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class EntityMapping:
    """One entity: where its id is, its own fields, and the rows below it."""

    entity: Entity
    id_path: str
    fields: tuple[Field, ...]
    rows: tuple[Rows, ...]
    #: What a record is, for the table's comment in the database.
    about: str = dataclasses.field(default="", compare=False)

    @property
    def root(self) -> Table:
        columns = [Column("id", Type.INTEGER)]
        for field in self.fields:
            columns.extend(field.output)
        return Table(str(self.entity), (*columns, FINGERPRINT, DUMP_MONTH), ("id",))

    @property
    def record_nests(self) -> bool:
        """Whether an element named like the record occurs inside records too, as do labels."""
        paths = [self.id_path, *(field.path for field in self.fields), *_row_paths(self.rows)]
        return any(self.entity.record in path.split("/") for path in paths)

    @property
    def parent_column(self) -> str:
        """The column of the child tables that holds the record's id."""
        return f"{self.entity.record}_id"

    def tables(self) -> EntityTables:
        """The tables in the order in which they are written."""
        return EntityTables(self.entity, self.root, tuple(table for _, table in self.children()))

    def children(self) -> Iterator[tuple[Rows, Table]]:
        """Each child table, parents before the rows below them."""
        yield from _children(self.rows, (Column(self.parent_column, Type.INTEGER),))


def _row_paths(rows: tuple[Rows, ...]) -> Iterator[str]:
    for row in rows:
        yield from (row.path, row.nests or "", *(field.path for field in row.fields))
        yield from _row_paths(row.rows)


def _children(rows: tuple[Rows, ...], above: tuple[Column, ...]) -> Iterator[tuple[Rows, Table]]:
    for row in rows:
        key = (*above, Column("seq", Type.INTEGER))
        columns = list(key)
        if row.nests:
            columns.append(Column("parent_seq", Type.INTEGER))
        for field in row.fields:
            columns.extend(field.output)
        yield row, Table(row.table, tuple(columns), tuple(column.name for column in key))
        yield from _children(row.rows, (*above, Column(row.ordinal, Type.INTEGER)))
