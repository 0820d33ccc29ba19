"""Randomly damaged records: the result does not depend on the parser, or on other records."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from discogs.records.block import Rejected
from discogs.records.parser import Parser
from discogs.schema.entities import Entity
from tests.records.made import Maker
from tests.records.reading import dump, rows, scan, split_records, summary
from tests.records.test_fields import FULL_RELEASE

#: What is put into a record, at any place of it.
TOKENS = [
    b"<!-- a -- b -->",
    b"<!--",
    b"-->",
    b"--",
    b"<![CDATA[",
    b"]]>",
    b"<?x",
    b"?>",
    b"&nbsp;",
    b"&#0;",
    b"&#xD83D;&#xDE00;",
    b"&#x110000;",
    b"\xff",
    b"\xed\xa0\x80",
    b"\x00",
    b"\x07",
    b"\r\n",
    b"<",
    b">",
    b"&",
    b'"',
    b"'",
    b"/",
    b"=",
    b" ",
    b"-",
    b"+",
    b"600px",
    b"40000",
    b"3000000000",
    b' 1="x"',
    b' a="<"',
    b' a="1"b="2"',
    b"<x:y/>",
    b' xmlns="u"',
    b"<x>" * 70 + b"</x>" * 70,
    b"<mood>x</mood>",
    b"<genre/>",
    b"<b>",
    b"</b>",
    b"\n",
    b"<release id='99'>",
    b"</release>",
    b"<label>",
    b"</artist>",
]
GOOD = {
    Entity.LABELS: "<label><id>{}</id><name>Good</name></label>",
    Entity.ARTISTS: "<artist><id>{}</id><name>Good</name></artist>",
    Entity.MASTERS: '<master id="{}"><title>Good</title></master>',
    Entity.RELEASES: '<release id="{}"><title>Good</title></release>',
}


def mutated(random: Random, record: bytes, entity: Entity) -> bytes:
    """A record with one or two defects, but with its beginning unchanged."""
    first = len(entity.record) + 2
    for _ in range(random.choice([1, 1, 2])):
        at = random.randrange(first, len(record))
        kind = random.randrange(10)
        if kind < 5:
            record = record[:at] + random.choice(TOKENS) + record[at:]
        elif kind < 7:
            record = record[:at] + record[at + random.choice([1, 1, 5]) :]
        elif kind < 8:
            record = record[:at] + bytes([random.randrange(256)]) + record[at + 1 :]
        else:
            # In place of a value, where a number or a name may be.
            at = record.find(b'="', at) + 2
            end = record.find(b'"', at)
            if 1 < at < end:
                record = record[:at] + random.choice(TOKENS) + record[end:]
    return record


def verdicts(entity: Entity, data: bytes, **how: Any) -> dict[str, Any]:
    """The rows, rejected records and invalid values of a file."""
    parser = Parser(entity, fast=how["fast"])
    tables: dict[str, list[Any]] = {}
    rejected: list[Rejected] = []
    invalid: dict[str, int] = {}
    for shard in range(how["shards"]):
        for each in scan(entity, data, shard, how["shards"]):
            rejected += each.rejected
            for block in each.blocks(np.ones(len(each.ids), np.bool_), how["block_bytes"]):
                parsed = parser.parse(block)
                rejected += parsed.rejected
                for path, count in parsed.findings.invalid.items():
                    invalid[path] = invalid.get(path, 0) + count
                for name, found in rows(parsed).items():
                    tables.setdefault(name, []).extend(found)
    return {
        "rows": {name: sorted(found, key=repr) for name, found in tables.items()},
        "rejected": sorted(summary(rejected), key=repr),
        "invalid": {path: count for path, count in invalid.items() if count},
    }


def check(entity: Entity, records: list[bytes], seed: int) -> None:
    random = Random(seed)
    file: list[bytes | str] = []
    for number, record in enumerate(records):
        file += [GOOD[entity].format(2_000_000 + number), mutated(random, record, entity)]
    file.append(GOOD[entity].format(1_999_999))
    data = dump(entity, *file)
    one = verdicts(entity, data, fast=True, shards=1, block_bytes=1 << 22)
    for other in (
        {"fast": True, "shards": 1, "block_bytes": 1},
        {"fast": True, "shards": 3, "block_bytes": 3_000},
        {"fast": False, "shards": 1, "block_bytes": 1 << 22},
    ):
        assert verdicts(entity, data, **other) == one, (seed, other)
    found = {row["id"] for row in one["rows"][str(entity)]}
    good = {1_999_999, *range(2_000_000, 2_000_000 + len(records))}
    assert good <= found, (seed, good - found)


def made(entity: Entity, seed: int, count: int) -> list[bytes]:
    maker = Maker(seed)
    found = [maker.record(entity, number)[0].encode() for number in range(1, count + 1)]
    return [*found, FULL_RELEASE.encode()] if entity is Entity.RELEASES else found


@pytest.mark.parametrize("entity", Entity)
def test_a_damaged_record_has_the_same_result_everywhere(entity: Entity) -> None:
    for seed in range(8):
        check(entity, made(entity, seed, 4), seed)


@pytest.mark.full
@pytest.mark.parametrize("entity", Entity)
def test_many_damaged_records_have_the_same_results_everywhere(entity: Entity) -> None:
    for seed in range(1_000, 1_300):
        check(entity, made(entity, seed, 4), seed)


@pytest.mark.full
def test_damaged_records_of_the_excerpts_have_the_same_results_everywhere(samples: Path) -> None:
    for path in sorted(samples.glob("20*/*.xml.gz")):
        entity = Entity(path.name.split("_")[2].split(".")[0])
        found = [xml for _, xml in split_records(entity, gzip.decompress(path.read_bytes()))[0]]
        for seed, at in enumerate(range(0, min(len(found), 400), 8)):
            check(entity, found[at : at + 8], seed)
