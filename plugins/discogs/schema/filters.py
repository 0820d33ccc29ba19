"""Filters: conditions on the fields of the records that are loaded.

``releases:country=Germany|Austria; releases:format=Vinyl; artists:data_quality!=Needs Vote``

Conditions are separated by ``;``. A record is loaded if it fulfils all conditions of its entity;
without conditions, all records of an entity are loaded. A condition is fulfilled by any of its
values, which are separated by ``|`` and compared without regard to case; ``*`` stands for any
value. ``!=`` negates a condition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from discogs.errors import DiscogsError
from discogs.schema.entities import ENTITIES, Entity

ANY = "*"
_CONDITION = re.compile(r"\s*(\w+)\s*:\s*(\w+)\s*(!?=)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class FilterField:
    """The column of a field that conditions can name.

    :param number: whether the values are whole numbers.
    """

    table: str
    column: str
    number: bool = False


#: The fields of each entity. Of a field with several values, such as genre, any value may match.
FIELDS: dict[Entity, dict[str, FilterField]] = {
    Entity.LABELS: {"data_quality": FilterField("labels", "data_quality")},
    Entity.ARTISTS: {"data_quality": FilterField("artists", "data_quality")},
    Entity.MASTERS: {
        "data_quality": FilterField("masters", "data_quality"),
        "genre": FilterField("master_genres", "genre_id"),
        "style": FilterField("master_styles", "style_id"),
        "year": FilterField("masters", "year", number=True),
    },
    Entity.RELEASES: {
        "country": FilterField("releases", "country"),
        "data_quality": FilterField("releases", "data_quality"),
        "format": FilterField("release_formats", "name"),
        "genre": FilterField("release_genres", "genre_id"),
        "style": FilterField("release_styles", "style_id"),
        "master": FilterField("releases", "master_id", number=True),
        "year": FilterField("releases", "released_year", number=True),
    },
}


class InvalidFilter(DiscogsError, ValueError):
    """A text is not a filter."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"The filter {text!r} cannot be read: {why}. Write it as"
            " releases:country=Germany|Austria; releases:format=Vinyl"
        )


@dataclass(frozen=True, order=True)
class Condition:
    """A condition; ``values`` are in lower case."""

    entity: Entity
    name: str
    negated: bool
    values: tuple[str, ...]

    @property
    def field(self) -> FilterField:
        return FIELDS[self.entity][self.name]

    def __str__(self) -> str:
        sign = "!=" if self.negated else "="
        return f"{self.entity}:{self.name}{sign}{'|'.join(self.values)}"


@dataclass(frozen=True)
class Filter:
    """Conditions, sorted so that equivalent filters are equal."""

    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Parse a filter; an empty text is a filter without conditions.

        :raises InvalidFilter: when the text is not a filter, with the reason.
        """
        parts = [part for part in text.split(";") if part.strip()]
        return cls(tuple(sorted({_condition(part) for part in parts})))

    def of(self, entity: Entity) -> Filter:
        """The conditions of one entity."""
        return Filter(tuple(found for found in self.conditions if found.entity is entity))

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __str__(self) -> str:
        return "; ".join(map(str, self.conditions))


def is_filter(text: str) -> bool:
    """Whether a text is a filter."""
    try:
        Filter.parse(text)
    except InvalidFilter:
        return False
    return True


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InvalidFilter(text.strip(), "a condition is ENTITY:FIELD=VALUE")
    entities = {str(entity): entity for entity in ENTITIES}
    entity = entities.get(match[1].lower())
    if entity is None:
        raise InvalidFilter(text.strip(), f"{match[1]} is none of {', '.join(entities)}")
    name = match[2].lower()
    if name not in FIELDS[entity]:
        raise InvalidFilter(
            text.strip(), f"{entity} can be filtered by {', '.join(FIELDS[entity])}"
        )
    values = tuple(sorted({part.strip().lower() for part in match[4].split("|")} - {""}))
    if not values:
        raise InvalidFilter(text.strip(), "it names no value")
    if FIELDS[entity][name].number and not all(
        value == ANY or re.fullmatch("[0-9]{1,9}", value) for value in values
    ):
        raise InvalidFilter(text.strip(), f"{name} is a whole number")
    return Condition(entity, name, match[3] == "!=", values)
