"""The classes of the mapping: fields, child tables, and the mapping of an entity."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from discogs.schema.entities import Entity
from discogs.schema.tables import Column, EntityTables, Table, Type

# Columns of every root table that the load computes.
FINGERPRINT = Column(
    "fingerprint",
    Type.BIGINT,
    about="64-bit xxh3 hash of the record's bytes, by which unchanged records are recognised",
)
DUMP_MONTH = Column("dump_month", Type.TEXT, about="month (YYYY-MM) whose load wrote the row")
#: Columns of every root table that only the merge writes.
STATE = (
    Column(
        "placeholder",
        Type.BOOLEAN,
        about="true if records refer to this id and no loaded dump has a record of it",
    ),
    Column(
        "removed_in",
        Type.TEXT,
        about="first loaded month (YYYY-MM) without the record; NULL for a live record",
    ),
    Column(
        "last_seen",
        Type.TEXT,
        about="for a removed record, last loaded month (YYYY-MM) whose dump has it",
    ),
)


@dataclass(frozen=True)
class Derived:
    """Columns computed from a field's text; ``parse`` returns one value per column."""

    columns: tuple[Column, ...]
    parse: Callable[[str], tuple[int | None, ...]]
    #: To be increased when ``parse`` returns other values for the same text, so that the next month
    #: reads every record of the entities that use it.
    version: int = 1


@dataclass(frozen=True)
class Field:
    """A value of the dump.

    ``path`` is relative to the row's element: ``title`` is a child, ``@id`` an attribute,
    ``parentLabel/@id`` an attribute of a child, and the empty path the element's own text.
    """

    column: str
    path: str
    type: Type = Type.TEXT
    #: The table whose ``id`` the value is; 0 becomes NULL.
    references: str | None = None
    #: The text is a name in the referenced table; the value is the id computed from the name.
    by_name: bool = False
    #: 0 means "unknown" and becomes NULL.
    zero_is_null: bool = False
    #: The preceding sibling that has the value when ``path`` has none.
    before: str | None = None
    derived: Derived | None = None
    #: The meaning of the column, for its comment in the database.
    about: str = dataclasses.field(default="", compare=False)

    @property
    def output(self) -> tuple[Column, ...]:
        """The columns of this field: its own, and those derived from it."""
        kind = Type.BIGINT if self.by_name else self.type
        columns = self.derived.columns if self.derived else ()
        return (Column(self.column, kind, self.references, self.about), *columns)


@dataclass(frozen=True)
class Rows:
    """A child table: one row for each element at ``path`` below the parent's element.

    ``nests`` is the path, below the row's element, of nested rows of the same table. These are
    numbered by ``seq`` in document order, and refer to the row around them by ``parent_seq``.
    """

    table: str
    path: str
    fields: tuple[Field, ...]
    rows: tuple[Rows, ...] = ()
    nests: str | None = None
    #: The name of this table's ``seq`` in the keys of its own child tables.
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
    """The mapping of an entity: the path of its id, its fields, and its child tables."""

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
        """Whether elements with the record's name occur inside records, as of labels."""
        paths = [self.id_path, *(field.path for field in self.fields), *_row_paths(self.rows)]
        return any(self.entity.record in path.split("/") for path in paths)

    @property
    def parent_column(self) -> str:
        """The column of the record's id in the child tables."""
        return f"{self.entity.record}_id"

    def tables(self) -> EntityTables:
        """The tables in the order in which they are written."""
        return EntityTables(self.entity, self.root, tuple(table for _, table in self.children()))

    def children(self) -> Iterator[tuple[Rows, Table]]:
        """The child tables, parents before children."""
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
