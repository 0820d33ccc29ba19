from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from discogs.records.parser import Parser
from discogs.schema.entities import Entity, Month
from tests.records.reading import LXML, PARSERS, blocks, dump
from tests.records.test_fields import FULL_RELEASE
from tests.records.test_mapping import SUB_TRACKS
from tests.sample.odd_records import write_months

LABELS, ARTISTS, MASTERS, RELEASES = Entity


def unmapped(entity: Entity, record: str) -> dict[str, int]:
    """The counts of both parsers, which must be equal."""
    (block,), _ = blocks(entity, dump(entity, record))
    found = dict(LXML[entity].parse(block).findings.unmapped)
    assert Parser(entity).parse(block).findings.unmapped == found
    return found


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
def test_unmapped_content_is_counted(inner: str, found: dict[str, int]) -> None:
    assert unmapped(RELEASES, f'<release id="1">{inner}</release>') == found


def test_mapped_content_is_not_counted() -> None:
    assert unmapped(RELEASES, FULL_RELEASE) == {}
    assert unmapped(RELEASES, f'<release id="1">{SUB_TRACKS}</release>') == {}
    members = "<members><id>26</id><name>A</name></members>"
    assert unmapped(ARTISTS, f"<artist><id>1</id>{members}</artist>") == {}


def test_a_malformed_record_is_not_counted() -> None:
    assert unmapped(RELEASES, '<release id="1"><mood></release>') == {}


@pytest.mark.parametrize("fast", [True, False])
def test_every_record_is_counted(fast: bool) -> None:
    """One in a thousand is found with certainty."""
    records = [f'<release id="{n}">{"<mood/>" * (n == 777)}</release>' for n in range(1, 1001)]
    (block,), _ = blocks(RELEASES, dump(RELEASES, *records))
    assert Parser(RELEASES, fast=fast).parse(block).findings.unmapped == {"release/mood": 1}


def test_a_blocks_rows_come_with_the_counts_of_unmapped_content() -> None:
    (block,), _ = blocks(RELEASES, dump(RELEASES, '<release id="1"><mood/></release>'))
    assert Parser(RELEASES).parse(block).findings.unmapped == {"release/mood": 1}


@pytest.mark.parametrize("era", ["2020", "2026"])
def test_samples_have_no_unmapped_content(tmp_path: Path, era: str) -> None:
    write_months(tmp_path, Month(2026, 5), releases=200, era=era)
    for entity in Entity:
        (path,) = tmp_path.glob(f"*_{entity}.xml.gz")
        assert _unmapped_of(path, entity) == {}


def test_the_excerpts_have_no_unmapped_content(samples: Path) -> None:
    for path in sorted(samples.glob("*/*.xml.gz")):
        assert _unmapped_of(path, Entity(path.name.split("_")[2].split(".")[0])) == {}


def _unmapped_of(path: Path, entity: Entity) -> dict[str, int]:
    found = Counter[str]()
    for block in blocks(entity, gzip.decompress(path.read_bytes()))[0]:
        found += PARSERS[entity].parse(block).findings.unmapped
    return dict(found)
