"""An unclosed record, comment or section does not affect other records, wherever it is."""

from __future__ import annotations

import pytest

from discogs.records.errors import CorruptDump, NotADump, TruncatedDump
from discogs.schema.entities import Entity
from tests.records.reading import blocks, dump, split_records, summary

LABELS, ARTISTS, MASTERS, RELEASES = Entity
SIZES = [7, 64, 1 << 20]

RECORDS = {
    LABELS: '<label><id>{0}</id><name>L</name><sublabels><label id="{0}00">S</label></sublabels>'
    "</label>",
    ARTISTS: "<artist><id>{0}</id><name>A</name></artist>",
    MASTERS: '<master id="{0}"><title>M</title></master>',
    RELEASES: '<release id="{0}"><title>R</title></release>',
}


def record(number: int, entity: Entity = RELEASES) -> str:
    return RECORDS[entity].format(number)


def unclosed(number: int, entity: Entity = RELEASES) -> str:
    return record(number, entity).removesuffix(f"</{entity.record}>")


def ids(entity: Entity, data: bytes) -> list[int]:
    return sorted(n for block in blocks(entity, data)[0] for n in block.ids.tolist())


# Comments and sections between records.


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("section", ["<!--", "<![CDATA[", "<?x"])
def test_an_unclosed_section_between_records_does_not_affect_records(
    section: str, entity: Entity, size: int
) -> None:
    data = dump(entity, record(1, entity), section, *(record(n, entity) for n in range(2, 40)))
    found, rejected = split_records(entity, data, size)
    assert [xml.decode() for _, xml in found] == [record(n, entity) for n in range(1, 40)]
    reason = f"{len(section) + 1} bytes between records"
    assert summary(rejected) == [(data.index(section.encode()), None, reason)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("section", "end"),
    [
        ("<!--", '<release id="8"><title>a --> b</title></release>'),
        ("<!--", "<!-- another -->"),
        ("<![CDATA[", '<release id="8"><title><![CDATA[a]]></title></release>'),
    ],
)
def test_the_end_of_something_else_does_not_close_it(section: str, end: str, size: int) -> None:
    data = dump(RELEASES, record(1), section, record(2), end, record(9))
    found, rejected = split_records(RELEASES, data, size)
    expected = [record(1), record(2), *([end] if "id=" in end else []), record(9)]
    assert [xml.decode() for _, xml in found] == expected
    assert [reject.xml.decode() for reject in rejected] == [section + "\n"]


@pytest.mark.parametrize("size", SIZES)
def test_more_bytes_than_a_record_may_have_that_belong_to_none_are_damage(size: int) -> None:
    for lump in ("x" * 600, "<x>" * 200):
        with pytest.raises(CorruptDump, match=r"at byte 54, [0-9]+ bytes or more belong to no rec"):
            split_records(RELEASES, dump(RELEASES, record(1), lump, record(2)), size, limit=500)


# Records.


@pytest.mark.parametrize("sep", [b"", b"\n", b"\r\n", b"\n    ", b"\n\t\t"])
@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("broken", [{5}, {5, 6}, {1, 3}, {9}])
def test_an_unclosed_record_does_not_affect_others(
    entity: Entity, sep: bytes, broken: set[int]
) -> None:
    written = [unclosed(n, entity) if n in broken else record(n, entity) for n in range(1, 10)]
    data = dump(entity, *written, sep=sep)
    assert ids(entity, data) == list(range(1, 10))
    assert ids(entity, b"<?xml version='1.0' encoding='UTF-8'?>" + data) == list(range(1, 10))


@pytest.mark.parametrize("cut", ["<title>R", "<notes>some <b", '<labels><label id="4'])
def test_a_record_that_is_cut_within_a_line_does_not_affect_others(cut: str) -> None:
    data = dump(RELEASES, record(1), f'<release id="2">{cut}' + record(3), record(4))
    assert ids(RELEASES, data) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "<x><release id='99'></release></x>",
        "<title>see <release id='99'> for</title>",
        "<title>see <release id='99'>",
    ],
)
def test_a_tag_in_a_broken_text_is_no_record(text: str) -> None:
    data = dump(RELEASES, record(1), f'<release id="2">{text}</release>', record(3))
    assert ids(RELEASES, data) == [1, 2, 3]


@pytest.mark.parametrize("size", [1, *SIZES])
@pytest.mark.parametrize(
    "hiding",
    [
        '<!-- </release>\n<release id="99"> -->',
        "<notes><![CDATA[</release>\n<release id='99'>]]></notes>",
        "<!-- </release> --><notes><![CDATA[a</release>b]]></notes><!-- <release> -->",
    ],
)
def test_a_record_is_complete_whatever_its_comments_contain(hiding: str, size: int) -> None:
    whole = f'<release id="2"><title>T</title>{hiding}<country>UK</country></release>'
    data = dump(RELEASES, record(1), whole, record(99), record(3))
    found, rejected = split_records(RELEASES, data, size)
    assert [xml.decode() for _, xml in found] == [record(1), whole, record(99), record(3)]
    assert rejected == []
    assert ids(RELEASES, data) == [1, 2, 3, 99]


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("section", ["<!--", "<![CDATA["])
def test_an_unclosed_section_in_an_unclosed_record_does_not_affect_others(
    entity: Entity, section: str
) -> None:
    whole = record(4, entity).replace(">", ">" + "<!-- -->" * 2, 1)
    broken = f"{unclosed(2, entity)}{section}"
    data = dump(entity, record(1, entity), broken, record(3, entity), whole)
    assert ids(entity, data) == [1, 2, 3, 4]


@pytest.mark.parametrize("size", [1, *SIZES])
def test_a_label_is_complete_whatever_its_comments_contain(size: int) -> None:
    whole = record(2, LABELS).replace("<name>", "<!-- </label>\n<label><id>9</id> --><name>")
    data = dump(LABELS, record(1, LABELS), whole, record(3, LABELS))
    found, rejected = split_records(LABELS, data, size)
    assert [xml.decode() for _, xml in found] == [record(1, LABELS), whole, record(3, LABELS)]
    assert rejected == []


def test_an_unclosed_comment_in_a_record_does_not_affect_others() -> None:
    broken = '<release id="2"><!-- <title>T</title></release>'
    data = dump(RELEASES, record(1), broken, record(3), "<!-- between -->", record(4))
    assert ids(RELEASES, data) == [1, 2, 3, 4]


# Files without a root element, as before 2015.


@pytest.mark.parametrize("size", [1, *SIZES])
@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("start", ["", "\n", '<?xml version="1.0" encoding="UTF-8"?>\n'])
def test_records_without_a_root_are_read(entity: Entity, size: int, start: str) -> None:
    written = [record(n, entity) for n in range(1, 6)]
    for end in ("", "\n", "\n\n"):
        data = (start + "\n".join(written) + end).encode()
        found, rejected = split_records(entity, data, size)
        assert [xml.decode() for _, xml in found] == written
        assert rejected == []


@pytest.mark.parametrize("size", [1, *SIZES])
def test_records_without_a_root_are_cut_short_where_the_last_one_is(size: int) -> None:
    data = "\n".join([record(1), record(2), unclosed(3)]).encode()
    with pytest.raises(TruncatedDump, match="its last record is not closed at byte 118"):
        split_records(RELEASES, data, size)
    with pytest.raises(NotADump, match="its root element is <release>, not <artists>"):
        split_records(ARTISTS, data, size)
