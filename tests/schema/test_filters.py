"""The syntax of filters, and their fields."""

from __future__ import annotations

import pytest

from discogs.schema.entities import ENTITIES, Entity
from discogs.schema.filters import FIELDS, Filter, InvalidFilter
from discogs.schema.mapping import MAPPINGS, TABLES
from discogs.schema.seed import fingerprint_seed


def test_equivalent_filters_are_equal() -> None:
    one = Filter.parse("releases:country=Germany|Austria; masters:year=1970")
    other = Filter.parse(" masters : year = 1970 ;releases:Country=austria | GERMANY;")
    assert one == other
    assert str(one) == "masters:year=1970; releases:country=austria|germany"
    assert Filter.parse(str(one)) == one
    assert not Filter.parse(" ; ")


def test_a_value_may_have_punctuation() -> None:
    (condition,) = Filter.parse("releases:genre=Folk, World, & Country").conditions
    assert condition.values == ("folk, world, & country",)


def test_an_entity_has_its_own_conditions() -> None:
    found = Filter.parse("releases:country!=US; artists:data_quality=Correct")
    assert str(found.of(Entity.RELEASES)) == "releases:country!=us"
    assert not found.of(Entity.LABELS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("country=Germany", "ENTITY:FIELD=VALUE"),
        ("tracks:title=One", "none of labels, artists, masters, releases"),
        ("artists:country=Germany", "artists can be filtered by data_quality"),
        ("releases:country=", "names no value"),
        ("releases:year=1970s", "whole number"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(InvalidFilter, match=why):
        Filter.parse(text)


def test_every_field_is_a_column_of_its_entity() -> None:
    assert list(FIELDS) == list(ENTITIES)
    for entity, fields in FIELDS.items():
        columns = {(table.name, name) for table in TABLES[entity].all for name in table.names}
        assert {(field.table, field.column) for field in fields.values()} <= columns


def test_fingerprints_depend_on_the_conditions() -> None:
    mapping = MAPPINGS[Entity.RELEASES]
    assert fingerprint_seed(mapping, "") == fingerprint_seed(mapping)
    assert fingerprint_seed(mapping, "releases:country=us") != fingerprint_seed(mapping)
