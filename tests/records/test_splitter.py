"""Whole records are found in a dump's bytes, however the file is written and read."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discogs.schema.entities import Entity, Month
from tests.records.reading import dump, split_records
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
from tests.sample.odd_records import write_months


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "data",
    [
        dump(RELEASES, ONE, TWO),
        dump(RELEASES, ONE, TWO, sep=b"\r\n"),
        dump(RELEASES, ONE, TWO, sep=b""),
        dump(RELEASES, ONE, TWO, sep=b"\n\n \t\n"),
        b"\xef\xbb\xbf" + dump(RELEASES, ONE, TWO),
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + dump(RELEASES, ONE, TWO),
        b"<?xml version='1.0' encoding='us-ascii'?>" + dump(RELEASES, ONE, TWO),
        b"\n\n  " + dump(RELEASES, ONE, TWO),
        b"<!-- <releases> <release> -->\n<?pi <x> ?>" + dump(RELEASES, ONE, TWO),
        dump(RELEASES, ONE, TWO).replace(b"<releases>", b'<releases a="b" c="d">'),
        dump(RELEASES, ONE, TWO) + b"\n\n",
        dump(RELEASES, ONE, TWO) + b"<!-- the end -->\n<?pi?>\n",
        dump(RELEASES, ONE, '<!-- <release id="3"></release> -->', TWO),
        dump(RELEASES, ONE, '<?pi <release id="3"></release> ?>', TWO),
        dump(RELEASES, ONE, TWO).replace(b"</releases>", b"</releases >"),
    ],
    ids=[
        "as written",
        "CRLF",
        "no line breaks",
        "blank lines",
        "BOM",
        "declaration",
        "ASCII",
        "space before",
        "comment before",
        "root with attributes",
        "space after",
        "comment after",
        "comment between",
        "instruction between",
        "space in the root's end",
    ],
)
def test_records_are_found_whole_however_the_file_is_written(data: bytes, size: int) -> None:
    found, rejected = split_records(RELEASES, data, size)
    assert [xml for _, xml in found] == BOTH
    assert rejected == []
    assert all(data[offset : offset + len(xml)] == xml for offset, xml in found)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("root", [b"<releases/>", b"<releases />\n", b"<releases>\n</releases>"])
def test_an_empty_root_has_no_records(root: bytes, size: int) -> None:
    assert split_records(RELEASES, root, size) == ([], [])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sep", [b"\n", b"", b"\r\n"])
def test_labels_are_split_by_depth(size: int, sep: bytes) -> None:
    data = dump(LABELS, NESTED, ODD_NESTED, NESTED, sep=sep)
    assert record_bytes(LABELS, data, size) == [
        NESTED.encode(),
        ODD_NESTED.encode(),
        NESTED.encode(),
    ]


def test_a_name_that_begins_like_the_records_is_another() -> None:
    record = "<artist><id>1</id><artistic></artistic><artists></artists></artist>"
    assert record_bytes(ARTISTS, dump(ARTISTS, record)) == [record.encode()]


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Entity], bytes]:
    """Files of both eras, with all kinds of odd records."""
    files = {}
    for era in ("2020", "2026"):
        folder = tmp_path_factory.mktemp(era)
        write_months(folder, Month(2026, 5), releases=200, seed=3, era=era)
        for entity in Entity:
            (path,) = folder.glob(f"*_{entity}.xml.gz")
            data = gzip.decompress(path.read_bytes())
            files[era, entity] = data
    return files


def short(data: bytes, entity: Entity) -> bytes:
    """The file's first records, which are the odd ones, without long records."""
    end = f"</{entity}>\n".encode()
    records = [xml for _, xml in split_records(entity, data)[0] if len(xml) < 2_500]
    return f"<{entity}>\n".encode() + b"\n".join(records[:70]) + b"\n" + end


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("era", ["2020", "2026"])
def test_chunk_sizes_make_no_difference_to_odd_records(
    traps: dict[tuple[str, Entity], bytes], era: str, entity: Entity, size: int
) -> None:
    data = short(traps[era, entity], entity)
    assert split_records(entity, data, size) == split_records(entity, data)


@pytest.mark.parametrize("size", [4096, 100_003])
@pytest.mark.parametrize("entity", Entity)
def test_chunk_sizes_make_no_difference_to_long_records(
    traps: dict[tuple[str, Entity], bytes], entity: Entity, size: int
) -> None:
    data = traps["2020", entity]
    assert split_records(entity, data, size) == split_records(entity, data)


def test_no_bytes_of_a_file_are_lost(traps: dict[tuple[str, Entity], bytes]) -> None:
    for (_, entity), data in traps.items():
        found, rejected = split_records(entity, data)
        assert rejected == []
        lines = [f"<{entity}>".encode(), *(xml for _, xml in found), f"</{entity}>".encode()]
        assert b"\n".join(lines) + b"\n" == data


ODD = [
    b"garbage",
    b"<stray>x</stray>\n",
    b'<![CDATA[ <release id="9"></release> ]]>',
    b'<!-- <release id="8"></release> -->',
    b"\n",
    b"  \r\n",
    b"</release>",
    b"<releas",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*BOTH, *ODD]), max_size=8), st.integers(1, 40))
def test_chunk_sizes_make_no_difference_to_bytes_between_records(
    parts: list[bytes], size: int
) -> None:
    data = b"<releases>\n" + b"".join(parts) + b"\n</releases>\n"
    found, rejected = split_records(RELEASES, data, size)
    assert (found, rejected) == split_records(RELEASES, data)
    assert [xml for _, xml in found] == [part for part in parts if part in BOTH]


LINES = [
    *BOTH,
    b'<release id="3"><notes>a\nb\n</notes>\n<title/></release>',
    b'<release id="4"></release><release id="5"></release>',
    b'<release id="6"></release> <!-- x -->',
    b'<release id="7">',
    b"<release\tid='8'></release>",
    b'<release id="9"/>',
    b'<release id="10"></release >',
    b'<release id="11"><notes><![CDATA[\n<release id="12"></release>]]></notes></release>',
    b'<release id="13"><!-- \n<release id="14"> --></release>',
    b'<released id="15"></released>',
    b'<release id="16"><title>Hey! <!A</title></release>',
    b"garbage",
    b"",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=10), st.integers(1, 9))
def test_records_are_found_alike_all_at_once_and_one_by_one(lines: list[bytes], size: int) -> None:
    """When a few bytes are read at a time, no chunk has two records."""
    data = b"<releases>\n" + b"".join(line + b"\n" for line in lines) + b"</releases>\n"
    assert split_records(RELEASES, data) == split_records(RELEASES, data, size)
