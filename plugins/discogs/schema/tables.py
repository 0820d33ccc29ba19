"""What a table is, for every part that moves rows: columns, key, references.

The tables themselves are declared once, in :mod:`discogs.schema.mapping`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from discogs.schema.entities import Entity


class Type(str, Enum):
    """A column's type in PostgreSQL."""

    TEXT = "text"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    BOOLEAN = "boolean"
    TEXT_ARRAY = "text[]"


@dataclass(frozen=True)
class Column:
    """One column.

    :param references: the table whose ``id`` it holds, if any.
    :param about: its meaning, for the comment in the database.
    """

    name: str
    type: Type
    references: str | None = None
    about: str = field(default="", compare=False)


@dataclass(frozen=True)
class Table:
    """One table as COPY and the merge see it; the first key column is the record's id."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def values(self) -> tuple[str, ...]:
        """The names of the columns outside the key."""
        return tuple(name for name in self.names if name not in self.key)

    @property
    def references(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.references)


@dataclass(frozen=True)
class EntityTables:
    """The tables of one entity: the root, one row a record, and the rows below it."""

    entity: Entity
    root: Table
    children: tuple[Table, ...]

    @property
    def all(self) -> tuple[Table, ...]:
        return (self.root, *self.children)

    @property
    def record_references(self) -> dict[str, tuple[tuple[Table, Column], ...]]:
        """Tables of records that this entity's rows refer to, and the columns that do."""
        return {
            str(entity): columns
            for entity in Entity
            if (
                columns := tuple(
                    (t, c) for t in self.all for c in t.references if c.references == entity
                )
            )
        }

    @property
    def names_tables(self) -> tuple[str, ...]:
        """Tables of names (genres, styles) that this entity's rows point to."""
        roots = {str(entity) for entity in Entity}
        found = {c.references for t in self.all for c in t.references if c.references not in roots}
        return tuple(sorted(name for name in found if name))
