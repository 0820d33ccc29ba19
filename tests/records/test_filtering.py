"""Which records of a block a filter keeps, with either parser."""

from __future__ import annotations

import pytest

from discogs.records.filtering import apply
from discogs.schema.entities import Entity
from discogs.schema.filters import Filter
from discogs.schema.mapping import TABLES
from tests.records.reading import LXML, PARSERS, blocks, dump


def release(
    number: int,
    *,
    country: str = "Germany",
    genre: str = "Jazz",
    style: str = "Bop",
    kind: str = "Vinyl",
    quality: str = "Correct",
    master: int | None = 1,
) -> str:
    main = f'<master_id is_main_release="true">{master}</master_id>' if master else ""
    return (
        f'<release id="{number}"><title>T</title>'
        f'<formats><format name="{kind}" qty="1"/><format name="Box" qty="1"/></formats>'
        f"<genres><genre>{genre}</genre></genres><styles><style>{style}</style></styles>"
        f"<country>{country}</country><released>1970</released>"
        f"<data_quality>{quality}</data_quality>{main}</release>"
    )


FILE = dump(
    Entity.RELEASES,
    release(1),
    release(2, country="France", genre="Folk, World, &amp; Country", style="Other"),
    release(3, country="", kind="CD", master=2),
    release(4, quality="Needs Vote", kind="LP", master=None),
)


@pytest.mark.parametrize("parsers", [PARSERS, LXML], ids=["fast", "careful"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("releases:country=Germany", {1, 4}),
        ("releases:country!=germany", {2, 3}),
        ("releases:country=Germany|France", {1, 2, 4}),
        ("releases:genre=Folk, World, & Country", {2}),
        ("releases:style=bop; releases:format=CD", {3}),
        ("releases:format!=vinyl", {3, 4}),
        ("releases:data_quality=Needs Vote", {4}),
        ("releases:master=2", {3}),
        ("releases:master=*", {1, 2, 3}),
        ("releases:master!=*", {4}),
        ("releases:year=1970|1971", {1, 2, 3, 4}),
        ("releases:country=Spain", set()),
    ],
)
def test_records_are_chosen_by_their_fields(
    parsers: dict[Entity, object], text: str, expected: set[int]
) -> None:
    (block,), _ = blocks(Entity.RELEASES, FILE)
    parsed = parsers[Entity.RELEASES].parse(block)
    parsed, left_out = apply(Filter.parse(text), TABLES[Entity.RELEASES], parsed)
    assert set(parsed.tables["releases"].column("id").to_pylist()) == expected
    assert set(left_out.tolist()) == {1, 2, 3, 4} - expected
    for table in TABLES[Entity.RELEASES].children:
        parents = set(parsed.tables[table.name].column("release_id").to_pylist())
        assert parents <= expected
    genres = set(parsed.names["genres"].values())
    assert ("Folk, World, & Country" in genres) is (2 in expected)
