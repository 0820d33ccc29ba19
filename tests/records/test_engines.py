"""KernelParser and LxmlParser return the rows that the records were made from."""

from __future__ import annotations

import gzip
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discogs.records.block import ParsedBlock
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from tests.records.made import Maker
from tests.records.reading import (
    KERNEL,
    LXML,
    PARSERS,
    Row,
    blocks,
    column,
    dump,
    read,
    rows,
)
from tests.sample.odd_records import write_months

LABELS, ARTISTS, MASTERS, RELEASES = Entity
SEEDS = st.integers(0, 2**32)


def same(one: ParsedBlock, other: ParsedBlock) -> None:
    assert one.names == other.names
    assert one.tables.keys() == other.tables.keys()
    for name in one.tables:
        assert one.tables[name].schema == other.tables[name].schema, name
    assert rows(one) == rows(other)
    for entity in Entity:
        if str(entity) in one.tables:
            assert fingerprints(one, entity) == fingerprints(other, entity)


def fingerprints(parsed: ParsedBlock, entity: Entity) -> dict[int, int]:
    root = parsed.tables[str(entity)]
    return dict(zip(root["id"].to_pylist(), root["fingerprint"].to_pylist(), strict=True))


def ordered(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {
        name: sorted(found, key=lambda row: [v or 0 for v in list(row.values())[:3]])
        for name, found in tables.items()
    }


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.sampled_from(Entity), st.integers(1, 4), st.booleans())
def test_the_values_put_into_records_are_in_their_rows(
    seed: int, entity: Entity, count: int, odd: bool
) -> None:
    maker = Maker(seed, odd=odd)
    expected: dict[str, list[Row]] = defaultdict(list)
    records = []
    for number in range(1, count + 1):
        xml, tables = maker.record(entity, number * 7)
        records.append(xml)
        for name, found in tables.items():
            expected[name] += found
    (block,), rejected = blocks(entity, dump(entity, *records))
    assert rejected == []
    for engines in (PARSERS, LXML):
        parsed = engines[entity].parse(block)
        assert [(reject.record_id, reject.reason) for reject in parsed.rejected] == []
        assert rows(parsed) == ordered(expected)


def test_random_records_fill_every_column_and_need_both_parsers() -> None:
    """The test above would hold for records that hold nothing."""
    filled: dict[str, set[str]] = defaultdict(set)
    fast = 0
    for seed in range(90):
        for entity in Entity:
            xml, tables = Maker(seed).record(entity, 1)
            for name, found in tables.items():
                for row in found:
                    filled[name] |= {column for column, value in row.items() if value is not None}
            _, refused = KERNEL[entity].parse(blocks(entity, dump(entity, xml))[0][0])
            fast += not len(refused)
    for tables_of in TABLES.values():
        for table in tables_of.all:
            assert filled[table.name] == set(table.names) - {"fingerprint", "dump_month"}
    assert 200 < fast < 360


@pytest.fixture(scope="module")
def samples_of_both_eras(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for era in ("2020", "2026"):
        folders[era] = tmp_path_factory.mktemp(era)
        write_months(folders[era], Month(2026, 5), releases=250, seed=9, era=era)
    return folders


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("era", ["2020", "2026"])
def test_both_parsers_read_a_sample_month_alike(
    samples_of_both_eras: dict[str, Path], era: str, entity: Entity
) -> None:
    (path,) = samples_of_both_eras[era].glob(f"*_{entity}.xml.gz")
    made, rejected = blocks(entity, gzip.decompress(path.read_bytes()), block_bytes=200_000)
    assert rejected == []
    for block in made:
        by_lxml = LXML[entity].parse(block)
        assert by_lxml.rejected == []
        same(PARSERS[entity].parse(block), by_lxml)
        by_kernel, refused = KERNEL[entity].parse(block)
        assert len(refused) <= len(block) / 10
        if not len(refused):
            same(by_kernel, by_lxml)


def test_both_parsers_read_the_excerpts_alike(samples: Path) -> None:
    paths = sorted(samples.glob("20*/*.xml.gz"))
    assert len(paths) == 11
    for path in paths:
        entity = Entity(path.name.split("_")[2].split(".")[0])
        made, rejected = blocks(entity, gzip.decompress(path.read_bytes()))
        assert rejected == []
        for block in made:
            by_lxml = LXML[entity].parse(block)
            assert by_lxml.rejected == []
            by_kernel, refused = KERNEL[entity].parse(block)
            # Real records must not need LxmlParser, or loads would be slow.
            assert len(refused) == 0
            same(by_kernel, by_lxml)


GOOD = '<release id="{}"><title>T</title><labels><label id="{}"/></labels></release>'


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("<title>A</titel>", "Opening and ending tag mismatch"),
        ("<title>A & B</title>", "xmlParseEntityRef: no name"),
        ("<title>A &uuml; B</title>", "Entity 'uuml' not defined"),
        ("<title>A < B</title>", "invalid element name"),
        ("<title>A &#99999999999; B</title>", "character reference out of bounds"),
        ('<labels><label name="a" name="b"/></labels>', "Attribute name redefined"),
        ("<labels><label name=a/></labels>", "AttValue"),
        ('<labels><label name="a & b"/></labels>', "xmlParseEntityRef"),
        ("<title>A</title><title>B</title>", "<title> occurs more than once in <release>"),
        (
            "<artists><artist><id>1</id><id>2</id></artist></artists>",
            "<id> occurs more than once in <artist>",
        ),
    ],
    ids=range(10),
)
def test_only_the_record_that_fails_is_rejected(broken: str, reason: str) -> None:
    records = [GOOD.format(1, 5), f'<release id="2">{broken}</release>', GOOD.format(3, 6)]
    data = dump(RELEASES, *records)
    (block,), rejected = blocks(RELEASES, data)
    assert rejected == []
    for engines in (PARSERS, LXML):
        parsed = engines[RELEASES].parse(block)
        (reject,) = parsed.rejected
        assert (reject.offset, reject.record_id) == (data.index(b'<release id="2"'), 2)
        assert reason in reject.reason
        assert "<string>" not in reject.reason
        assert reject.xml.startswith(records[1].encode()[:1000])
        assert [row["id"] for row in rows(parsed)["releases"]] == [1, 3]
        assert [row["label_id"] for row in rows(parsed)["release_labels"]] == [5, 6]


@pytest.mark.parametrize(
    "bad", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\xf5\x80\x80\x80", b"\xc0\xaf"]
)
def test_bytes_that_are_not_utf8_reject_only_their_record(bad: bytes) -> None:
    broken = b'<release id="2"><title>A' + bad + b"B</title></release>"
    (block,), _ = blocks(RELEASES, dump(RELEASES, GOOD.format(1, 5), broken, GOOD.format(3, 6)))
    for engines in (PARSERS, LXML):
        parsed = engines[RELEASES].parse(block)
        assert [row["id"] for row in rows(parsed)["releases"]] == [1, 3]
        (reject,) = parsed.rejected
        assert "Invalid bytes in character encoding" in reject.reason


def test_a_record_with_two_ids_is_rejected_by_both() -> None:
    (block,), _ = blocks(
        ARTISTS, dump(ARTISTS, "<artist><id>1</id><name>A</name><id>2</id></artist>")
    )
    for engines in (PARSERS, LXML):
        (reject,) = engines[ARTISTS].parse(block).rejected
        assert reject.reason == "<id> occurs more than once in <artist>"


def test_no_entity_is_expanded_and_no_file_read() -> None:
    """A record cannot declare entities, so a bomb is an undefined entity."""
    bomb = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    bomb += '<release id="2"><title>&x;</title></release>'
    (block,), rejected = blocks(RELEASES, dump(RELEASES, GOOD.format(1, 5), bomb))
    assert [reject.reason for reject in rejected] == ["54 bytes between records"]
    for engines in (PARSERS, LXML):
        parsed = engines[RELEASES].parse(block)
        assert [row["id"] for row in rows(parsed)["releases"]] == [1]
        assert [reject.record_id for reject in parsed.rejected] == [2]


EMPTY = """<release id="7"><labels><label/><label name="" catno="" id=""/><label name="L"/></labels>
<genres><genre/><genre> </genre><genre>Rock</genre><genre>Jazz</genre></genres>
<styles><style/></styles>
<extraartists><artist/><artist><id/></artist></extraartists><formats><format/>
<format name=""><descriptions><description/><description>LP</description></descriptions></format>
</formats><tracklist><track/><track><title/></track><track><title>T</title><sub_tracks><track/>
</sub_tracks></track></tracklist><videos><video/></videos></release>"""


@pytest.mark.parametrize("engine", [PARSERS, LXML], ids=["fast", "careful"])
def test_an_element_with_nothing_in_it_makes_no_row(engine: Any) -> None:
    tables = read(RELEASES, EMPTY, engine=engine)
    counts = {name: [row["seq"] for row in found] for name, found in tables.items() if "_" in name}
    assert counts == {
        "release_labels": [1, 2],
        "release_genres": [1, 2],
        "release_credits": [1],
        "release_formats": [1],
        "release_tracks": [1, 2],
    }
    assert column(tables, "release_formats", "descriptions") == [["LP"]]
