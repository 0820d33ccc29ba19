from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discogs.records.block import Block, BlockJoiner
from discogs.records.scanner import Scanned, Scanner
from discogs.schema.entities import Entity, Month
from tests.records.reading import blocks, chunks, dump, split_records
from tests.sample.odd_records import write_months

LABELS, ARTISTS, MASTERS, RELEASES = Entity


def scan(entity: Entity, *records: str, shard: int = 0, shards: int = 1) -> Scanned:
    (first, last) = chunks(entity, dump(entity, *records))
    assert not last.starts
    return Scanner(entity, shard, shards).scan(first)


@pytest.mark.parametrize(
    "record",
    [
        '<release id="12" status="Accepted"><title/></release>',
        '<release status="Accepted" id="12"><title/></release>',
        "<release id='12'><title/></release>",
        '<release  id = "12" ><title/></release>',
        '<release\n\tid="12"\n><title/></release>',
        '<release id=" 12 "><title/></release>',
        '<release id="0012"><title/></release>',
        '<release id="&#49;2"><title/></release>',
        '<release status="a > b" id="12"><title/></release>',
        '<release status=" id=&quot;7&quot;" id="12"><labels><label id="5"/></labels></release>',
    ],
)
def test_an_id_in_an_attribute_is_found_however_it_is_written(record: str) -> None:
    assert scan(RELEASES, record).ids.tolist() == [12]


IMAGES = '<images><image height="1" type="primary" uri="" uri150="" width="2"/></images>'


@pytest.mark.parametrize(
    "record",
    [
        "<artist><id>12</id><name>A</name></artist>",
        "<artist>\n  <id> 12\n</id><name>A</name></artist>",
        f"<artist>{IMAGES}<id>12</id><name>A</name></artist>",
        "<artist><images/><id>12</id><name>A</name></artist>",
        f"<artist>{IMAGES.replace('/>', '></image>')}<id>12</id></artist>",
        "<artist><name>A</name><id>12</id></artist>",
        "<artist><members><id>3</id><name>A</name></members><id>12</id></artist>",
        "<artist><name>&lt;id&gt;5&lt;/id&gt;</name><!-- <id>4</id> --><id>12</id></artist>",
        '<artist a="b"><id>12</id></artist>',
        "<artist><id>1<!-- -->2</id></artist>",
    ],
)
def test_an_id_in_an_element_is_found_at_any_position(record: str) -> None:
    assert scan(ARTISTS, record).ids.tolist() == [12]


def test_unclosed_images_do_not_give_the_id_of_the_next_record() -> None:
    scanned = scan(ARTISTS, "<artist><images><id>1</id></artist>", "<artist><id>2</id></artist>")
    assert scanned.ids.tolist() == [2]
    assert [reject.record_id for reject in scanned.rejected] == [None]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("<release><title/></release>", "the record has no id"),
        ('<release id=""><title/></release>', "the record has no id"),
        ('<release id="0"/></release>', "not well-formed"),
        ('<release id="0"></release>', "the id '0' is not a number from 1 to 2147483647"),
        ('<release id="-3"></release>', "the id '-3' is not a number from 1 to 2147483647"),
        ('<release id="abc"></release>', "the id 'abc' is not a number from 1 to 2147483647"),
        ('<release id="1.5"></release>', "the id '1.5' is not a number from 1 to 2147483647"),
        ('<release id="2147483648"></release>', "the id '2147483648' is not a number"),
        ('<release id="99999999999999999999"></release>', "is not a number from 1"),
        ("<release><title></release>", "Opening and ending tag mismatch"),
    ],
)
def test_a_record_without_a_usable_id_is_rejected(record: str, reason: str) -> None:
    if reason == "not well-formed":
        reason = "Extra content at the end of the document"
    scanned = scan(RELEASES, '<release id="7"></release>', record)
    assert scanned.ids.tolist() == [7]
    (reject,) = scanned.rejected
    assert (reject.offset, reject.record_id) == (38, None)
    assert reason in reject.reason
    assert reject.xml == record.encode()


def test_the_largest_id_is_accepted() -> None:
    assert scan(RELEASES, f'<release id="{2**31 - 1}"></release>').ids.tolist() == [2**31 - 1]


@pytest.mark.parametrize(
    ("entity", "record", "found"),
    [
        (RELEASES, '<release a="1" id="12"><title></release>', [12]),
        (RELEASES, '<release a="1"><labels><label id="5"/></labels><title></release>', []),
        (RELEASES, "<release a=\" id='5' \"><title></release>", []),
        (ARTISTS, "<artist><name>A</name><id>12</id><urls></artist>", [12]),
        (ARTISTS, "<artist><members><id>5</id></members><urls></artist>", []),
        (ARTISTS, "<artist><name>A</nam><id>12</id></artist>", []),
    ],
)
def test_a_broken_record_has_its_own_id_or_none(
    entity: Entity, record: str, found: list[int]
) -> None:
    """An id of something within it would take that record's place."""
    assert scan(entity, record).ids.tolist() == found


def test_an_over_long_record_is_rejected_with_its_id() -> None:
    data = dump(RELEASES, '<release id="12"><notes>' + "x" * 500 + "</notes></release>")
    (piece, _) = chunks(RELEASES, data, limit=100)
    (reject,) = Scanner(RELEASES).scan(piece).rejected
    assert (reject.offset, reject.record_id) == (11, 12)
    assert [len(Scanner(RELEASES, s, 5).scan(piece).rejected) for s in range(5)] == [0, 0, 1, 0, 0]


def test_a_fingerprint_is_of_the_records_bytes_alone() -> None:
    one, two = '<release id="1"><title>A</title></release>', '<release id="2"></release>'
    (first,) = scan(RELEASES, one).fingerprints.tolist()
    assert scan(RELEASES, two, one).fingerprints.tolist()[1] == first
    (data,) = chunks(RELEASES, dump(RELEASES, one, sep=b"\r\n"))[:1]
    assert Scanner(RELEASES).scan(data).fingerprints.tolist() == [first]
    changed = one.replace("A", "B")
    assert scan(RELEASES, changed).fingerprints.tolist() != [first]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> dict[Entity, bytes]:
    folder = tmp_path_factory.mktemp("month")
    write_months(folder, Month(2026, 5), releases=300, seed=5, era="2020")
    return {e: gzip.decompress(next(folder.glob(f"*_{e}.xml.gz")).read_bytes()) for e in Entity}


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_each_record_is_in_one_shard(
    month: dict[Entity, bytes], entity: Entity, shards: int
) -> None:
    def found(shard: int, shards: int) -> list[tuple[int, int, int]]:
        return [
            row
            for block in blocks(entity, month[entity], shard=shard, shards=shards)[0]
            for row in zip(
                block.ids.tolist(),
                block.fingerprints.tolist(),
                block.offsets.tolist(),
                strict=True,
            )
        ]

    parts = [found(shard, shards) for shard in range(shards)]
    for shard, part in enumerate(parts):
        assert {number % shards for number, _, _ in part} <= {shard}
    assert sorted(row for part in parts for row in part) == sorted(found(0, 1))
    assert len(found(0, 1)) == len(split_records(entity, month[entity])[0]) > 0


def test_each_rejected_record_is_in_one_shard() -> None:
    data = dump(RELEASES, "garbage", "<release><title/></release>", '<release id="5"></release>')
    parts = [blocks(RELEASES, data, shard=shard, shards=3)[1] for shard in range(3)]
    assert [len(part) for part in parts] == [2, 0, 0]


@pytest.mark.parametrize("block_bytes", [1, 5_000, 1 << 22])
def test_blocks_hold_whole_records_of_about_a_size(
    month: dict[Entity, bytes], block_bytes: int
) -> None:
    made, _ = blocks(RELEASES, month[RELEASES], block_bytes=block_bytes)
    records = [block.record(index) for block in made for index in range(len(block))]
    assert records == [xml for _, xml in split_records(RELEASES, month[RELEASES])[0]]
    for block in made:
        assert len(block) == 1 or len(block.data) - len(block.record(len(block) - 1)) < block_bytes
        for index, offset in enumerate(block.offsets.tolist()):
            record = block.record(index)
            assert month[RELEASES][offset : offset + len(record)] == record


def test_only_the_records_to_keep_are_in_blocks() -> None:
    records = [f'<release id="{number}"></release>' for number in range(1, 10)]
    scanned = scan(RELEASES, *records)
    (block,) = scanned.blocks(scanned.ids % 3 == 0, 1 << 20)
    assert block.ids.tolist() == [3, 6, 9]
    assert block.data == "".join(records[i] for i in (2, 5, 8)).encode()
    assert list(scanned.blocks(scanned.ids < 0, 1 << 20)) == []


@pytest.mark.parametrize("block_bytes", [1_000, 20_000, 1 << 22])
def test_small_blocks_are_joined_and_keep_what_was_read_of_each_record(
    month: dict[Entity, bytes], block_bytes: int
) -> None:
    made, _ = blocks(RELEASES, month[RELEASES], block_bytes=2_000)
    joiner = BlockJoiner(block_bytes)
    joined = [full for block in made if (full := joiner.join(block)) is not None]
    if (rest := joiner.rest()) is not None:
        joined.append(rest)

    def contents(made: list[Block]) -> list[tuple[int, bytes, int, int]]:
        return sorted(
            (block.offsets[i], block.record(i), block.ids[i], block.fingerprints[i])
            for block in made
            for i in range(len(block))
        )

    assert contents(joined) == contents(made)
    assert sum(2 * len(block.data) < block_bytes for block in joined) <= 1
    assert joiner.rest() is None


# Unclosed records.

OPEN = '<release id="1"><title>A</title>'
NEXT = '<release id="2"><title>B</title></release>'
THIRD = '<release id="3"><title>C</title></release>'


def ids(data: bytes, entity: Entity = RELEASES, **shard: int) -> list[int]:
    return [number for block in blocks(entity, data, **shard)[0] for number in block.ids.tolist()]


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_the_records_after_an_unclosed_one_are_found(shards: int) -> None:
    data = dump(RELEASES, OPEN, NEXT, THIRD)
    found = [ids(data, shard=shard, shards=shards) for shard in range(shards)]
    assert sorted(number for part in found for number in part) == [1, 2, 3]
    for shard, part in enumerate(found):
        assert all(number % shards == shard for number in part)


def test_an_unclosed_record_ends_before_the_next() -> None:
    data = dump(RELEASES, OPEN, NEXT)
    (block,), rejected = blocks(RELEASES, data)
    assert rejected == []
    assert [block.record(0), block.record(1)] == [OPEN.encode() + b"\n", NEXT.encode()]
    assert block.offsets.tolist() == [11, data.index(NEXT.encode())]


def test_several_unclosed_records_in_a_row_are_all_found() -> None:
    again = OPEN.replace("1", "4")
    assert sorted(ids(dump(RELEASES, OPEN, again, NEXT, THIRD))) == [1, 2, 3, 4]
    assert sorted(ids(dump(RELEASES, NEXT, OPEN, again))) == [1, 2, 4]


@pytest.mark.parametrize("end", ["</relase>", "</release", "&lt;/release>", "</release >"])
def test_a_record_with_a_malformed_end_does_not_affect_others(end: str) -> None:
    assert sorted(ids(dump(RELEASES, OPEN + end, NEXT))) == [1, 2]


def test_an_empty_element_does_not_affect_others() -> None:
    assert sorted(ids(dump(RELEASES, '<release id="1"/>', NEXT))) == [1, 2]


def test_an_unclosed_record_without_id_does_not_affect_others() -> None:
    made, rejected = blocks(RELEASES, dump(RELEASES, "<release><title>A</title>", NEXT))
    assert [block.ids.tolist() for block in made] == [[2]]
    assert [(reject.offset, reject.record_id) for reject in rejected] == [(11, None)]


@pytest.mark.parametrize(("entity", "tag"), [(ARTISTS, "artist"), (LABELS, "label")])
def test_unclosed_artists_and_labels_do_not_affect_others(entity: Entity, tag: str) -> None:
    records = [f"<{tag}><id>{n}</id><name>A</name></{tag}>" for n in (1, 2, 3)]
    records[1] = records[1].removesuffix(f"</{tag}>")
    assert sorted(ids(dump(entity, *records), entity)) == [1, 2, 3]


@pytest.mark.parametrize(
    "hidden", [f"<!-- \n{NEXT} -->", f"<![CDATA[\n{NEXT}]]>"], ids=["comment", "CDATA"]
)
def test_text_in_a_malformed_record_is_not_a_record(hidden: str) -> None:
    made, _ = blocks(RELEASES, dump(RELEASES, f'<release id="1"><title>{hidden}</title>', THIRD))
    assert sorted(number for block in made for number in block.ids.tolist()) == [1, 3]


def test_text_that_looks_like_a_record_is_not_one() -> None:
    """It is well-formed as a whole, so it is one record."""
    record = '<release id="1"><notes><![CDATA[\n<release id="2">]]></notes></release>'
    (block,), rejected = blocks(RELEASES, dump(RELEASES, record))
    assert (block.ids.tolist(), block.record(0), rejected) == ([1], record.encode(), [])


def test_lines_that_start_with_other_tags_are_not_records() -> None:
    record = '<release id="1">\n<released>1999</released>\n<title>A</title>\n</release>'
    (block,), _ = blocks(RELEASES, dump(RELEASES, record, NEXT, sep=b""))
    assert block.record(0) == record.encode()


def test_an_unclosed_record_is_found_among_many() -> None:
    records = [f'<release id="{number}"></release>' for number in range(10, 90)]
    records[40] = records[40].removesuffix("</release>")
    records[60] = "<release>"  # neither id nor end
    scanned = scan(RELEASES, *records)
    assert scanned.ids.tolist() == [number for number in range(10, 90) if number != 70]
    assert [reject.record_id for reject in scanned.rejected] == [None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"])), max_size=12),
    st.integers(1, 3),
)
def test_every_record_is_found_whichever_are_unclosed(
    shapes: list[tuple[bool, str]], shards: int
) -> None:
    text, expected = "<releases>\n", []
    for number, (closed, sep) in enumerate(shapes, 1):
        text += f'<release id="{number}"><title>{number}</title>'
        text += f"{'</release>' if closed else ''}{sep}"
        expected.append(number)
    data = (text + "</releases>\n").encode()
    found = [n for shard in range(shards) for n in ids(data, shard=shard, shards=shards)]
    assert sorted(found) == expected
    rejected = [blocks(RELEASES, data, shard=s, shards=shards)[1] for s in range(shards)]
    assert rejected == [[]] * shards


def test_the_excerpts_are_scanned_without_a_reject(samples: Path) -> None:
    for path in sorted(samples.glob("*/*.xml.gz")):
        entity = Entity(path.name.split("_")[2].split(".")[0])
        made, rejected = blocks(entity, gzip.decompress(path.read_bytes()))
        assert rejected == []
        assert sum(len(block) for block in made) > 0
