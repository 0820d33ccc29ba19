"""The changes of the mapping that change the seed of the fingerprints, and those that do not."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from discogs.schema import seed
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS, RELEASES
from discogs.schema.model import Derived, EntityMapping, Field, Rows
from discogs.schema.seed import fingerprint_seed
from discogs.schema.tables import Column, Type
from tests.conftest import PROJECT


def derived(mapping: EntityMapping, **changes: object) -> EntityMapping:
    """The mapping with the attributes of its derived columns changed."""
    fields = tuple(
        replace(field, derived=replace(field.derived, **changes)) if field.derived else field
        for field in mapping.fields
    )
    return replace(mapping, fields=fields)


def first_rows(**changes: object) -> EntityMapping:
    return replace(RELEASES, rows=(replace(RELEASES.rows[0], **changes), *RELEASES.rows[1:]))


def first_field(**changes: object) -> EntityMapping:
    return replace(RELEASES, fields=(replace(RELEASES.fields[0], **changes), *RELEASES.fields[1:]))


COLUMNS = (Column("a", Type.INTEGER), Column("b", Type.INTEGER))


def other_parser(text: str) -> tuple[int | None, ...]:
    return (len(text),)


@pytest.mark.parametrize(
    "changed",
    [
        replace(RELEASES, fields=(*RELEASES.fields, Field("mood", "mood"))),
        replace(RELEASES, fields=RELEASES.fields[1:]),
        replace(RELEASES, rows=(*RELEASES.rows, Rows("release_moods", "moods/mood", ()))),
        replace(RELEASES, rows=RELEASES.rows[1:]),
        replace(RELEASES, id_path="id"),
        first_field(path="@state"),
        first_field(type=Type.INTEGER),
        first_field(zero_is_null=True),
        first_field(before="id"),
        first_rows(path="artists/credit"),
        first_rows(fields=RELEASES.rows[0].fields[1:]),
        first_rows(nests="artists/artist"),
        derived(RELEASES, parse=other_parser),
        derived(RELEASES, columns=COLUMNS),
        derived(RELEASES, version=2),
    ],
)
def test_every_change_that_gives_other_rows_changes_the_seed(changed: EntityMapping) -> None:
    assert fingerprint_seed(changed) != fingerprint_seed(RELEASES)


def test_derived_columns_count_in_their_order() -> None:
    one = derived(RELEASES, columns=COLUMNS)
    assert fingerprint_seed(derived(RELEASES, columns=COLUMNS[::-1])) != fingerprint_seed(one)


def test_the_version_of_the_values_changes_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {fingerprint_seed(mapping) for mapping in MAPPINGS.values()}
    monkeypatch.setattr(seed, "VALUES_VERSION", seed.VALUES_VERSION + 1)
    assert before.isdisjoint(fingerprint_seed(mapping) for mapping in MAPPINGS.values())


def test_the_order_of_declarations_and_equal_copies_change_nothing() -> None:
    turned = replace(RELEASES, fields=RELEASES.fields[::-1], rows=RELEASES.rows[::-1])
    parse = RELEASES.fields[3].derived
    assert isinstance(parse, Derived)
    assert fingerprint_seed(turned) == fingerprint_seed(RELEASES)
    assert fingerprint_seed(replace(RELEASES)) == fingerprint_seed(RELEASES)


def test_each_entity_has_a_seed_of_its_own() -> None:
    assert len({fingerprint_seed(mapping) for mapping in MAPPINGS.values()}) == len(Entity)


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_seed_is_the_same_in_every_process(hash_seed: str) -> None:
    program = (
        "from discogs.schema.mapping import MAPPINGS\n"
        "from discogs.schema.seed import fingerprint_seed\n"
        "print([fingerprint_seed(mapping) for mapping in MAPPINGS.values()])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str([fingerprint_seed(each) for each in MAPPINGS.values()])
