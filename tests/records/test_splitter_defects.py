"""Dumps with defects: stray bytes, cut files, over-long and unclosed records."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discogs.errors import DumpError
from discogs.records.block import REJECTED_XML_BYTES
from discogs.records.errors import CorruptDump, NotADump, TruncatedDump
from discogs.schema.entities import Entity
from tests.records.reading import chunks, dump, split_records, summary
from tests.records.splitting import (
    ARTISTS,
    BOTH,
    LABELS,
    NESTED,
    ODD_NESTED,
    ONE,
    RELEASES,
    SIZES,
    TWO,
    record_bytes,
)

LONG = '<release id="5"><notes>' + "x" * 1000 + "</notes></release>"


def test_bytes_between_records_are_rejected_with_their_place() -> None:
    data = dump(RELEASES, ONE, "X garbage &amp; <more>", TWO)
    found, rejected = split_records(RELEASES, data)
    assert [xml for _, xml in found] == BOTH
    assert summary(rejected) == [(data.index(b"X garbage"), None, "23 bytes between records")]
    assert rejected[0].xml == b"X garbage &amp; <more>\n"


def test_a_long_run_of_spaces_between_records_is_skipped() -> None:
    data = dump(RELEASES, ONE, " " * 10_000, TWO)
    for size in (64, 1 << 20):
        found, rejected = split_records(RELEASES, data, size)
        assert ([xml for _, xml in found], rejected) == (BOTH, [])


@pytest.mark.parametrize("size", SIZES)
def test_a_record_in_a_section_of_text_between_records_is_rejected_with_it(size: int) -> None:
    data = dump(RELEASES, ONE, f"<![CDATA[ {TWO} ]]>", TWO)
    found, rejected = split_records(RELEASES, data, size)
    assert [xml for _, xml in found] == BOTH
    assert summary(rejected) == [(data.index(b"<![CDATA["), None, "42 bytes between records")]


@pytest.mark.parametrize("size", SIZES)
def test_bytes_after_the_root_are_rejected_in_one(size: int) -> None:
    data = dump(RELEASES, ONE) + b"\nsome more\nand more\n"
    found, rejected = split_records(RELEASES, data, size)
    assert [xml for _, xml in found] == BOTH[:1]
    (reject,) = rejected
    assert reject.offset == data.index(b"</releases>") + len(b"</releases>")
    assert "bytes after the end of the root element" in reject.reason
    assert not reject.may_be_record
    assert b"some more\nand more" in reject.xml


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "more",
    [dump(RELEASES, TWO), dump(RELEASES), TWO.encode()],
    ids=["root", "root without records", "record"],
)
def test_records_after_the_root_are_damage(more: bytes, size: int) -> None:
    with pytest.raises(CorruptDump, match="ends at byte 65, and records follow"):
        split_records(RELEASES, dump(RELEASES, ONE) + more, size)


@pytest.mark.parametrize("size", SIZES)
def test_more_bytes_than_a_record_may_have_that_belong_to_none_are_damage(size: int) -> None:
    after = dump(RELEASES, ONE) + b"x" * 500
    with pytest.raises(CorruptDump, match="ends at byte 65, and more than 500 bytes follow"):
        split_records(RELEASES, after, size, limit=500)
    between = dump(RELEASES, ONE, "x" * 2000)
    # Detected while reading, so that the whole is never buffered.
    for data in (between, between.rpartition(b"\n</")[0]):
        with pytest.raises(
            CorruptDump, match=r"byte 54, [0-9,]+ bytes or more belong to no record"
        ):
            split_records(RELEASES, data, size, limit=500)


@pytest.mark.parametrize("more", ["\n" + TWO, '\n<releases>\n<release id="1">'])
def test_records_after_a_root_that_ends_with_a_read_are_damage(more: str) -> None:
    data = dump(RELEASES, ONE).rstrip()
    with pytest.raises(CorruptDump, match="and records follow"):
        split_records(RELEASES, data + more.encode(), len(data))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at", [12, 30, 54, 70, -20, -2, -5, -12])
def test_a_cut_file_is_reported_as_cut_short(at: int, size: int) -> None:
    data = dump(RELEASES, ONE, TWO)
    with pytest.raises(TruncatedDump, match="its root element <releases> is not closed at byte"):
        split_records(RELEASES, data[:at], size)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_cut_is_found_wherever_it_is(data: st.DataObject) -> None:
    whole = dump(LABELS, NESTED, ODD_NESTED)
    end = data.draw(st.integers(0, len(whole) - 2))
    size = data.draw(st.integers(1, 50))
    with pytest.raises((TruncatedDump, NotADump)):
        split_records(LABELS, whole[:end], size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (dump(ARTISTS, "<artist><id>1</id></artist>"), "root element is <artists>, not <releases>"),
        (b"<html><body>Not found</body></html>", "root element is <html>, not <releases>"),
        (b"Not found", "does not start like a dump but with 'Not found'"),
        (b'{"a": 1}', "does not start like a dump"),
        (b"<!DOCTYPE releases [<!ENTITY a 'b'>]>" + dump(RELEASES, ONE), "a document type"),
        (
            b'<?xml version="1.0"?>\n<!DOCTYPE releases SYSTEM "file:///etc/passwd">'
            + dump(RELEASES, ONE),
            "a document type",
        ),
        (
            b'<?xml version="1.0" encoding="ISO-8859-1"?>' + dump(RELEASES, ONE),
            "encoded in ISO-8859-1, not UTF-8",
        ),
        (dump(RELEASES, ONE).decode().encode("utf-16"), "UTF-16 or UTF-32"),
        (dump(RELEASES, ONE).decode().encode("utf-16-be"), "UTF-16 or UTF-32"),
        (dump(RELEASES, ONE).decode().encode("utf-32"), "UTF-16 or UTF-32"),
        (b" \n ", "it is empty"),
    ],
    ids=[
        "another entity",
        "HTML",
        "text",
        "JSON",
        "document type",
        "external document type",
        "Latin-1",
        "UTF-16",
        "UTF-16 without BOM",
        "UTF-32",
        "blank",
    ],
)
def test_a_file_that_is_not_a_dump_is_refused(data: bytes, why: str, size: int) -> None:
    with pytest.raises(NotADump, match=why):
        split_records(RELEASES, data, size)


def test_a_header_without_end_is_not_read_for_ever() -> None:
    with pytest.raises(NotADump):
        split_records(RELEASES, b"<!-- " + b"x" * 1_000_000, 4096)


@pytest.mark.parametrize("size", SIZES)
def test_an_over_long_record_is_rejected_and_the_next_one_is_not(size: int) -> None:
    data = dump(RELEASES, ONE, LONG, TWO)
    found, rejected = split_records(RELEASES, data, size, limit=500)
    assert [xml for _, xml in found] == BOTH
    assert summary(rejected) == [
        (data.index(LONG.encode()), None, "the record is longer than 500 bytes: it has 1,041")
    ]
    assert rejected[0].xml == LONG.encode()[:500]
    # The record is never buffered as a whole.
    assert all(len(chunk.data) <= 600 + size for chunk in chunks(RELEASES, data, size, 500))


@pytest.mark.parametrize("size", SIZES)
def test_a_record_of_exactly_the_limit_is_accepted(size: int) -> None:
    data = dump(RELEASES, LONG, ONE)
    assert len(record_bytes(RELEASES, data, size, limit=len(LONG))) == 2
    assert len(record_bytes(RELEASES, data, size, limit=len(LONG) - 1)) == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("entity", [RELEASES, LABELS])
def test_an_unclosed_over_long_record_does_not_affect_others(entity: Entity, size: int) -> None:
    record = {RELEASES: ONE, LABELS: NESTED}[entity]
    broken = record.split(">")[0] + "><id>5</id><notes>" + "x" * 1000
    for records in ([broken, record], [record, broken, record], [record, broken]):
        found, rejected = split_records(entity, dump(entity, *records), size, limit=500)
        assert [xml for _, xml in found] == [record.encode()] * (len(records) - 1)
        assert len(rejected) == 1


@pytest.mark.parametrize("entity", [RELEASES, LABELS])
def test_chunk_sizes_make_no_difference_to_over_long_records(entity: Entity) -> None:
    record = {RELEASES: ONE, LABELS: NESTED}[entity]
    start = record.split(">")[0]
    whole = f"{start}><notes>{'x' * 1000}</notes></{entity.record}>"
    unclosed = f"{start}><notes>{'x' * 1000}"
    comment = f"<!-- {record} {'y' * 150} -->"
    data = dump(entity, *[record] * 9, whole, record, unclosed, record, comment, record, whole)
    found, rejected = split_records(entity, data, limit=300)
    assert [xml for _, xml in found] == [record.encode()] * 12
    assert [reject.offset for reject in rejected] == [
        match.start() for match in re.finditer(rb"<\w+[^<>]*><notes>", data)
    ]
    for size in range(40, 1500, 19):
        assert split_records(entity, data, size, 300) == (found, rejected)


def test_a_rejected_record_is_kept_up_to_64_kib() -> None:
    (reject,) = split_records(RELEASES, dump(RELEASES, LONG * 100), limit=70_000)[1] or [None]
    assert reject is None or len(reject.xml) <= REJECTED_XML_BYTES


@pytest.mark.parametrize("size", SIZES)
def test_a_label_without_end_ends_where_the_next_starts(size: int) -> None:
    broken = '<label><id>9</id><sublabels><label id="2">B</sublabels>'
    data = dump(LABELS, NESTED, broken, NESTED, broken)
    found, rejected = split_records(LABELS, data, size)
    assert [xml.rstrip() for _, xml in found] == [
        NESTED.encode(),
        broken.encode(),
        NESTED.encode(),
        broken.encode(),
    ]
    assert rejected == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("entity", "whole", "broken", "commented"),
    [
        (RELEASES, ONE, '<release id="9"><!-- <title>T</title></release>', '<release id="8">'),
        (
            LABELS,
            NESTED,
            '<label><id>9</id><!-- <sublabels><label id="2">B</label></sublabels></label>',
            "<label><id>8</id>",
        ),
    ],
    ids=["releases", "labels"],
)
def test_an_unclosed_comment_in_a_record_does_not_end_in_another(
    entity: Entity, whole: str, broken: str, commented: str, size: int
) -> None:
    for end in (f"</{entity.record}>", ""):
        records = [whole, broken, whole, f"{commented}<!-- a comment -->{end}"]
        found = record_bytes(entity, dump(entity, *records), size)
        assert [xml.rstrip().decode() for xml in found] == records


@pytest.mark.parametrize("size", SIZES)
def test_a_last_record_without_end_ends_at_the_end_of_the_root(size: int) -> None:
    broken = '<release id="3"><title>C</title>'
    found, rejected = split_records(RELEASES, dump(RELEASES, ONE, broken), size)
    assert [xml.rstrip() for _, xml in found] == [ONE.encode(), broken.encode()]
    assert rejected == []


@given(st.binary(max_size=300), st.integers(1, 20))
def test_the_splitter_accepts_any_bytes(data: bytes, size: int) -> None:
    """Any bytes give records, rejected records or an error of the package."""
    for entity in (RELEASES, LABELS):
        for start in (b"", f"<{entity}>".encode()):
            try:
                split_records(entity, start + data, size)
            except DumpError:
                continue
