"""Tables as COPY and the merge see them: columns, key and references.

They are derived from the declarations in :mod:`discogs.schema.mapping`.
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
    """A column.

    :param references: the table whose ``id`` its values are, if any.
    :param about: its meaning, for the comment in the database.
    """

    name: str
    type: Type
    references: str | None = None
    about: str = field(default="", compare=False)


@dataclass(frozen=True)
class Table:
    """A table; the first column of its key is the record's id."""

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
    """The tables of an entity: the root table, with one row per record, and the child tables."""

    entity: Entity
    root: Table
    children: tuple[Table, ...]

    @property
    def all(self) -> tuple[Table, ...]:
        return (self.root, *self.children)

    @property
    def record_references(self) -> dict[str, tuple[tuple[Table, Column], ...]]:
        """The root tables that this entity's rows refer to, each with the referring columns."""
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
        """The tables of names (genres, styles) that this entity's rows refer to."""
        roots = {str(entity) for entity in Entity}
        found = {c.references for t in self.all for c in t.references if c.references not in roots}
        return tuple(sorted(name for name in found if name))
