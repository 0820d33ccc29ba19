from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discogs.errors import CorruptDump, DumpError, NotADump, TruncatedDump
from discogs.records.block import REJECTED_XML_BYTES
from discogs.records.splitter import split, unpacked
from discogs.schema.entities import Entity, Month
from tests.records.reading import dump, pieces, told
from tests.sample.odd_records import write_months

LABELS, ARTISTS, MASTERS, RELEASES = Entity
SIZES = [1, 7, 64, 1 << 20]


def ids(entity: Entity, data: bytes, size: int = 1 << 23, limit: int = 1 << 24) -> list[bytes]:
    return [xml for _, xml in pieces(entity, data, size, limit)[0]]


ONE, TWO = '<release id="1"><title>A</title></release>', '<release id="2"/>x</release>'
BOTH = [ONE.encode(), TWO.encode()]


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
        "space behind",
        "comment behind",
        "comment between",
        "instruction between",
        "space in the root's end",
    ],
)
def test_records_are_cut_whole_however_the_file_is_written(data: bytes, size: int) -> None:
    found, rejected = pieces(RELEASES, data, size)
    assert [xml for _, xml in found] == BOTH
    assert rejected == []
    assert all(data[offset : offset + len(xml)] == xml for offset, xml in found)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("root", [b"<releases/>", b"<releases />\n", b"<releases>\n</releases>"])
def test_an_empty_root_has_no_records(root: bytes, size: int) -> None:
    assert pieces(RELEASES, root, size) == ([], [])


NESTED = (
    '<label><id>1</id><sublabels><label id="2">B</label><label id="3">C</label></sublabels></label>'
)
ODD_NESTED = (
    '<label a="x>y"><id>4</id><sublabels>\n<label id="5">E</label>\n<label id="6"/>\n'
    "<label\nid='7'>>F</label ></sublabels></label>"
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sep", [b"\n", b"", b"\r\n"])
def test_labels_are_cut_by_depth(size: int, sep: bytes) -> None:
    data = dump(LABELS, NESTED, ODD_NESTED, NESTED, sep=sep)
    assert ids(LABELS, data, size) == [NESTED.encode(), ODD_NESTED.encode(), NESTED.encode()]


def test_a_name_that_begins_like_the_records_is_another() -> None:
    record = "<artist><id>1</id><artistic></artistic><artists></artists></artist>"
    assert ids(ARTISTS, dump(ARTISTS, record)) == [record.encode()]


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Entity], bytes]:
    """Files of both eras that hold every trap, and little else."""
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
    """The file's first records, which spring the traps, without those that are long."""
    end = f"</{entity}>\n".encode()
    records = [xml for _, xml in pieces(entity, data)[0] if len(xml) < 2_500]
    return f"<{entity}>\n".encode() + b"\n".join(records[:70]) + b"\n" + end


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("era", ["2020", "2026"])
def test_chunks_make_no_difference_to_the_traps(
    traps: dict[tuple[str, Entity], bytes], era: str, entity: Entity, size: int
) -> None:
    data = short(traps[era, entity], entity)
    assert pieces(entity, data, size) == pieces(entity, data)


@pytest.mark.parametrize("size", [4096, 100_003])
@pytest.mark.parametrize("entity", Entity)
def test_chunks_make_no_difference_to_long_records(
    traps: dict[tuple[str, Entity], bytes], entity: Entity, size: int
) -> None:
    data = traps["2020", entity]
    assert pieces(entity, data, size) == pieces(entity, data)


def test_nothing_of_a_file_goes_missing(traps: dict[tuple[str, Entity], bytes]) -> None:
    for (_, entity), data in traps.items():
        found, rejected = pieces(entity, data)
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
def test_chunks_make_no_difference_to_whatever_stands_between_records(
    parts: list[bytes], size: int
) -> None:
    data = b"<releases>\n" + b"".join(parts) + b"\n</releases>\n"
    found, rejected = pieces(RELEASES, data, size)
    assert (found, rejected) == pieces(RELEASES, data)
    assert [xml for _, xml in found] == [part for part in parts if part in BOTH]


def test_bytes_between_records_are_rejected_with_their_place() -> None:
    data = dump(RELEASES, ONE, "garbage &amp; <more>", TWO)
    found, rejected = pieces(RELEASES, data)
    assert [xml for _, xml in found] == BOTH
    assert told(rejected) == [(data.index(b"garbage"), None, "bytes between records")]
    assert rejected[0].xml == b"garbage &amp; <more>\n"


def test_a_long_stretch_of_spaces_between_records_is_passed() -> None:
    data = dump(RELEASES, ONE, " " * 10_000, TWO)
    assert ids(RELEASES, data) == BOTH
    assert ids(RELEASES, data, 64) == BOTH


@pytest.mark.parametrize("size", SIZES)
def test_bytes_behind_the_root_are_rejected_in_one(size: int) -> None:
    data = dump(RELEASES, ONE) + b"\nsome more\nand more\n"
    found, rejected = pieces(RELEASES, data, size)
    assert [xml for _, xml in found] == BOTH[:1]
    (reject,) = rejected
    assert reject.offset == data.index(b"</releases>") + len(b"</releases>")
    assert "bytes behind the end of the root element" in reject.reason
    assert b"some more\nand more" in reject.xml


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("more", [dump(RELEASES, TWO), TWO.encode()], ids=["root", "record"])
def test_records_behind_the_root_are_damage(more: bytes, size: int) -> None:
    with pytest.raises(CorruptDump, match="ends at byte 65, and records follow"):
        pieces(RELEASES, dump(RELEASES, ONE) + more, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at", [12, 30, 54, 70, -20, -2, -5, -12])
def test_a_cut_file_is_told_as_cut(at: int, size: int) -> None:
    data = dump(RELEASES, ONE, TWO)
    with pytest.raises(TruncatedDump, match="<releases> is not closed at byte"):
        pieces(RELEASES, data[:at], size)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_cut_is_told_wherever_it_is(data: st.DataObject) -> None:
    whole = dump(LABELS, NESTED, ODD_NESTED)
    end = data.draw(st.integers(0, len(whole) - 2))
    size = data.draw(st.integers(1, 50))
    with pytest.raises((TruncatedDump, NotADump)):
        pieces(LABELS, whole[:end], size)


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
def test_what_is_no_dump_is_refused(data: bytes, why: str, size: int) -> None:
    with pytest.raises(NotADump, match=why):
        pieces(RELEASES, data, size)


def test_a_header_without_end_is_not_read_for_ever() -> None:
    with pytest.raises(NotADump):
        pieces(RELEASES, b"<!-- " + b"x" * 1_000_000, 4096)


LONG = '<release id="5"><notes>' + "x" * 1000 + "</notes></release>"


@pytest.mark.parametrize("size", SIZES)
def test_an_over_long_record_is_rejected_and_the_next_one_is_not(size: int) -> None:
    data = dump(RELEASES, ONE, LONG, TWO)
    found, rejected = pieces(RELEASES, data, size, limit=500)
    assert [xml for _, xml in found] == BOTH
    assert told(rejected) == [
        (data.index(LONG.encode()), None, "the record is longer than 500 bytes")
    ]
    assert rejected[0].xml == LONG.encode()[:500]


@pytest.mark.parametrize("size", SIZES)
def test_a_record_of_just_the_limit_is_taken(size: int) -> None:
    data = dump(RELEASES, LONG, ONE)
    assert len(ids(RELEASES, data, size, limit=len(LONG))) == 2
    assert len(ids(RELEASES, data, size, limit=len(LONG) - 1)) == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("entity", [RELEASES, LABELS])
def test_an_over_long_record_without_end_takes_nothing_with_it(entity: Entity, size: int) -> None:
    record = {RELEASES: ONE, LABELS: NESTED}[entity]
    broken = record.split(">")[0] + "><id>5</id><notes>" + "x" * 1000
    for records in ([broken, record], [record, broken, record], [record, broken]):
        found, rejected = pieces(entity, dump(entity, *records), size, limit=500)
        assert [xml for _, xml in found] == [record.encode()] * (len(records) - 1)
        assert len(rejected) == 1


def test_a_rejected_record_is_kept_up_to_64_kib() -> None:
    (reject,) = pieces(RELEASES, dump(RELEASES, LONG * 100), limit=70_000)[1] or [None]
    assert reject is None or len(reject.xml) <= REJECTED_XML_BYTES


@pytest.mark.parametrize("size", SIZES)
def test_a_label_without_end_ends_where_the_next_starts(size: int) -> None:
    broken = '<label><id>9</id><sublabels><label id="2">B</sublabels>'
    data = dump(LABELS, NESTED, broken, NESTED, broken)
    found, rejected = pieces(LABELS, data, size)
    assert [xml.rstrip() for _, xml in found] == [
        NESTED.encode(),
        broken.encode(),
        NESTED.encode(),
        broken.encode(),
    ]
    assert rejected == []


@pytest.mark.parametrize("size", SIZES)
def test_a_last_record_without_end_is_cut_at_the_end_of_the_root(size: int) -> None:
    broken = '<release id="3"><title>C</title>'
    found, rejected = pieces(RELEASES, dump(RELEASES, ONE, broken), size)
    assert [xml.rstrip() for _, xml in found] == [ONE.encode(), broken.encode()]
    assert rejected == []


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def unpack(packed: bytes, size: int = 1 << 23) -> bytes:
    return b"".join(unpacked(io.BytesIO(packed), "dump.xml.gz", size))


class Stream(io.RawIOBase):
    """Bytes that cannot be sought in, as from some object stores."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


BODY = dump(RELEASES, *[f'<release id="{i}"><title>{i * i}</title></release>' for i in range(999)])


@pytest.mark.parametrize("size", [100, 1 << 23])
def test_gzip_is_unpacked(size: int) -> None:
    assert unpack(gz(BODY), size) == BODY
    assert unpack(gz(BODY[:500]) + gz(BODY[500:]), size) == BODY
    assert unpack(gz(BODY) + b"\0" * 512, size) == BODY
    assert b"".join(unpacked(Stream(gz(BODY)), "x", size)) == BODY  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [100, 1 << 23])
@pytest.mark.parametrize("at", [3, 12, 200, -9, -8, -4, -1])
def test_cut_gzip_is_told_as_cut(at: int, size: int) -> None:
    with pytest.raises(TruncatedDump, match=r"dump\.xml\.gz is cut short"):
        unpack(gz(BODY)[:at], size)


@pytest.mark.parametrize("size", [100, 1 << 23])
@pytest.mark.parametrize("at", [-8, -1, 100, 400])
def test_damaged_gzip_is_told_as_damaged(at: int, size: int) -> None:
    packed = bytearray(gz(BODY))
    packed[at] ^= 0xFF
    with pytest.raises((CorruptDump, TruncatedDump), match=r"dump\.xml\.gz is (damaged|cut short)"):
        unpack(bytes(packed), size)


@pytest.mark.parametrize("size", [100, 1 << 23])
def test_garbage_behind_the_gzip_is_damage(size: int) -> None:
    with pytest.raises(CorruptDump, match="something else than gzip follows"):
        unpack(gz(BODY) + b"garbage, more of it than a header", size)
    # Too short for a gzip header: perhaps the start of one.
    with pytest.raises(TruncatedDump):
        unpack(gz(BODY) + b"garbage", size)


@pytest.mark.parametrize("data", [b"<html>", b"BZh91AY", BODY])
def test_what_is_no_gzip_is_no_dump(data: bytes) -> None:
    with pytest.raises(NotADump, match="it is not a gzip file"):
        unpack(data)
    with pytest.raises(NotADump, match="it is not a gzip file"):
        list(unpacked(Stream(data), "x"))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", gz(b"")], ids=["no bytes", "packed nothing"])
def test_an_empty_file_is_told_as_empty(data: bytes) -> None:
    with pytest.raises(TruncatedDump, match="it is empty"):
        unpack(data)


def test_the_truncated_excerpt_is_told_as_cut(samples: Path) -> None:
    (path, *_) = sorted((samples / "2026-04" / "truncated").glob("*.xml.gz"))
    entity = Entity(path.name.split("_")[2].split(".")[0])
    with path.open("rb") as packed, pytest.raises(TruncatedDump):
        list(split(unpacked(packed, path.name), entity, path.name, 1 << 24))


@given(st.binary(max_size=300), st.integers(1, 20))
def test_no_bytes_break_the_cutter(data: bytes, size: int) -> None:
    """Whatever comes, records, rejects or an error of the package come out, and it ends."""
    for entity in (RELEASES, LABELS):
        for start in (b"", f"<{entity}>".encode()):
            try:
                pieces(entity, start + data, size)
            except DumpError:
                continue
