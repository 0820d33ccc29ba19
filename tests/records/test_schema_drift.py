from __future__ import annotations

import gzip
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from discogs.records import schema_drift
from discogs.records.parser import Parser
from discogs.records.schema_drift import FIRST_RECORDS, SchemaDrift
from discogs.schema.entities import Entity, Month
from tests.records.reading import blocks, dump
from tests.records.test_fields import FULL_RELEASE
from tests.records.test_mapping import SUB_TRACKS
from tests.sample.odd_records import write_months

LABELS, ARTISTS, MASTERS, RELEASES = Entity


def unmapped(entity: Entity, record: str) -> dict[str, int]:
    return dict(SchemaDrift(entity).check(record.encode()))


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("<mood>dark</mood><mood/>", {"release/mood": 2}),
        ("<mood><deep>x</deep></mood>", {"release/mood": 1}),
        ('<title lang="en">T</title>', {"release/title/@lang": 1}),
        ("<title>T<b>x</b></title>", {"release/title/b": 1}),
        ("<artists>stray</artists>", {"release/artists/text()": 1}),
        ("<artists/>stray", {"release/text()": 1}),
        ("<artists><artist><id>1</id><born>1</born></artist></artists>",
         {"release/artists/artist/born": 1}),
        ('<labels><label id="1">text</label></labels>', {"release/labels/label/text()": 1}),
        ('<master_id is_main_release="true" since="1">3</master_id>',
         {"release/master_id/@since": 1}),
        ("<tracklist><track><sub_tracks><track><bpm/></track></sub_tracks></track></tracklist>",
         {"release/tracklist/track/sub_tracks/track/bpm": 1}),
        ('<x:title xmlns:x="u">T</x:title>', {"release/{u}title": 1}),
        ("<artists>\n<!-- not this --> \t</artists>\n", {}),
    ],
)  # fmt: skip
def test_what_no_table_takes_is_counted(inner: str, found: dict[str, int]) -> None:
    assert unmapped(RELEASES, f'<release id="1">{inner}</release>') == found


def test_what_the_tables_take_is_not_counted() -> None:
    assert unmapped(RELEASES, FULL_RELEASE) == {}
    assert unmapped(RELEASES, f'<release id="1">{SUB_TRACKS}</release>') == {}
    members = "<members><id>26</id><name>A</name></members>"
    assert unmapped(ARTISTS, f"<artist><id>1</id>{members}</artist>") == {}


def test_a_broken_record_is_left_to_those_who_reject_it() -> None:
    assert unmapped(RELEASES, '<release id="1"><mood></release>') == {}


def mood(number: int, every: int = 1) -> str:
    return f'<release id="{number}">{"<title>T</title>" if number % every else "<mood/>"}</release>'


def test_every_record_of_a_small_file_is_searched() -> None:
    records = [mood(n, every=400) for n in range(1, 401)]
    drift = SchemaDrift(RELEASES)
    made, _ = blocks(RELEASES, dump(RELEASES, *records), block_bytes=1000)
    assert sum((drift.sample(block) for block in made), Counter[str]()) == {"release/mood": 1}


def test_what_one_record_in_a_thousand_has_is_found_in_a_large_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schema_drift, "SEARCHED_BYTES", 0)
    drift = SchemaDrift(RELEASES)
    records = [mood(n, every=1000) for n in range(1, 200_001)]
    made, _ = blocks(RELEASES, dump(RELEASES, *records), block_bytes=40_000)
    counts = sum((drift.sample(block) for block in made), Counter[str]())
    assert 0 < counts["release/mood"] < 60


def test_what_every_record_has_is_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_drift, "FOUND_RECORDS", 100)
    drift = SchemaDrift(RELEASES)
    records = [mood(n) for n in range(1, 1001)]
    made, _ = blocks(RELEASES, dump(RELEASES, *records), block_bytes=1000)
    counts = sum((drift.sample(block) for block in made), Counter[str]())
    assert 100 <= counts["release/mood"] <= 100 + FIRST_RECORDS + len(made)


def test_threads_share_what_is_searched() -> None:
    (block,), _ = blocks(RELEASES, dump(RELEASES, *(mood(n) for n in range(1, FIRST_RECORDS))))
    drift = SchemaDrift(RELEASES)
    with ThreadPoolExecutor(4) as pool:
        counts = [found["release/mood"] for found in pool.map(drift.sample, [block] * 20)]
    assert counts == [FIRST_RECORDS - 1] * 20


def found_by_the_search(entity: Entity, *records: str) -> list[int]:
    made, _ = blocks(entity, dump(entity, *records))
    drift = SchemaDrift(entity)
    return [
        int(block.ids[at]) for block in made for at in drift.pairs.odd(block.data, block.starts)
    ]


@pytest.mark.parametrize(
    "inner",
    [
        "<mood>dark</mood>",
        "<mood/>",
        "<name>T</name>",
        "<releasetype>T</releasetype>",
        '<title lang="en">T</title>',
        "<title lang='en'>T</title>",
        "<title>T<b>x</b></title>",
        "<artists><artist><id>1</id><born>1</born></artist></artists>",
        '<master_id is_main_release="true" since="1">3</master_id>',
        "<tracklist><track><sub_tracks><track><bpm/></track></sub_tracks></track></tracklist>",
        '<x:title xmlns:x="u">T</x:title>',
    ],
)
def test_the_search_finds_tags_and_attributes_that_are_not_mapped(inner: str) -> None:
    records = [mood(1, 2), f'<release id="2"><country>UK</country>{inner}</release>', mood(3, 2)]
    assert found_by_the_search(RELEASES, *records) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "<notes>a=b, [url=https://x.y/?a=b]c[/url] &lt;mood&gt;</notes>",
        "<videos><video src='https://x.y/watch?v=1&amp;t=2'/></videos>",
        "<!-- one --><?two?><title>T</title>",
        "<title></title><notes/>",
    ],
)
def test_the_search_finds_nothing_in_texts(text: str) -> None:
    assert found_by_the_search(RELEASES, f'<release id="1">{text}</release>', FULL_RELEASE) == []


def test_what_a_block_holds_beyond_the_mapping_comes_with_its_rows() -> None:
    (block,), _ = blocks(RELEASES, dump(RELEASES, '<release id="1"><mood/></release>'))
    assert Parser(RELEASES).parse(block).findings.unmapped == {"release/mood": 1}


@pytest.mark.parametrize("era", ["2020", "2026"])
def test_samples_hold_nothing_unknown(tmp_path: Path, era: str) -> None:
    write_months(tmp_path, Month(2026, 5), releases=200, era=era)
    for entity in Entity:
        (path,) = tmp_path.glob(f"*_{entity}.xml.gz")
        assert _unmapped_of(path, entity) == {}


def test_the_excerpts_hold_nothing_unknown(samples: Path) -> None:
    for path in sorted(samples.glob("*/*.xml.gz")):
        assert _unmapped_of(path, Entity(path.name.split("_")[2].split(".")[0])) == {}


def _unmapped_of(path: Path, entity: Entity) -> dict[str, int]:
    drift = SchemaDrift(entity)
    found = Counter[str]()
    for block in blocks(entity, gzip.decompress(path.read_bytes()))[0]:
        for index in range(len(block)):
            found += drift.check(block.record(index))
        # Few more are walked than there is reason to: a text may hold an attribute's signs.
        assert len(drift.pairs.odd(block.data, block.starts)) <= len(block) / 100
    return dict(found)
