"""The kernel returns the rows of LxmlParser, or refuses a record."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from wasmtime import Engine, Module

from discogs.records import kernel
from discogs.records.block import Block
from discogs.records.kernel import FILE, Kernel, KernelFailed
from discogs.records.kernel_parser import KernelParser
from discogs.records.kernel_program import Program
from discogs.records.parser import Parser
from discogs.schema.entities import Entity
from discogs.schema.mapping import ARTISTS as ARTISTS_MAPPING
from discogs.schema.mapping import RELEASES as RELEASES_MAPPING
from tests.records.made import Maker
from tests.records.reading import KERNEL, LXML, blocks, dump, rows
from tests.records.test_fields import FULL_RELEASE
from tests.records.test_mapping import SUB_TRACKS

LABELS, ARTISTS, MASTERS, RELEASES = Entity
ROOT = Path(__file__).resolve().parents[2]


def block_of(entity: Entity, *records: bytes) -> Block:
    """A block of any bytes as records."""
    sizes = np.array([len(record) for record in records], np.int64)
    starts = np.cumsum(sizes) - sizes
    ids = np.arange(1, len(records) + 1, dtype=np.int32)
    return Block(entity, b"".join(records), starts, ids, ids.astype(np.int64) * 11, starts)


def refused(entity: Entity, *records: bytes) -> list[int]:
    """The positions of what the kernel refuses; it must read the rest as LxmlParser does."""
    block = block_of(entity, *records)
    parsed, positions = KERNEL[entity].parse(block)
    for batch in parsed.tables.values():
        batch.validate(full=True)
    read = np.delete(np.arange(len(records)), positions)
    expected = LXML[entity].parse(block.take(read))
    assert expected.rejected == []
    assert rows(parsed) == rows(expected)
    assert parsed.names == expected.names
    assert parsed.tables[str(entity)]["fingerprint"].to_pylist() == (11 * (read + 1)).tolist()
    assert parsed.findings == expected.findings
    return positions.tolist()


def test_the_module_is_what_the_source_builds(tmp_path: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("the compiler is not installed: `make kernel` installs it")
    built = tmp_path / "kernel.wasm"
    script = ROOT / "kernel" / "build.sh"
    subprocess.run(["sh", script, sys.executable, built], check=True, cwd=tmp_path)
    assert built.read_bytes() == FILE.read_bytes(), "the kernel was changed: run `make kernel`"


def test_the_module_imports_nothing() -> None:
    """So it can call nothing, and access only its own memory."""
    assert Module(Engine(), FILE.read_bytes()).imports == []


def test_the_program_names_each_element_once() -> None:
    for entity in Entity:
        paths = Program(KERNEL[entity].mapping).paths
        assert len(paths) == len(set(paths))


def test_a_mapping_that_the_kernel_cannot_read_is_an_error() -> None:
    (tracks,) = [r for r in RELEASES_MAPPING.rows if r.rows]
    deep = dataclasses.replace(tracks.rows[0], rows=tracks.rows)
    too_deep = dataclasses.replace(tracks, rows=(deep,))
    with pytest.raises(ValueError, match="release_track_artists"):
        Program(dataclasses.replace(RELEASES_MAPPING, rows=(too_deep,)))


GOOD = b'<release id="1"><title>T</title><labels><label id="5"/></labels></release>'
#: Each in a record of its own, between good ones: read as LxmlParser does.
READ = [
    "a &lt;&gt;&amp;&quot;&apos; b &#65;&#x42;&#x1F3B5;",
    "]]> and > alone",
    "\r\n a \r b \r\n",
    "\x01\x07\x1b\ufffe\uffff and &#1;&#xFFFE;",
    "\u00e9\u2028\ufeff\U0001f3b5\U0010ffff",
    "x" * 300_000,
    "",
    " ",
]
#: Of these some are read by LxmlParser, others by nobody.
REFUSED = [
    b"<title>a<!-- b -->c</title>",
    b"<title><![CDATA[a]]></title>",
    b"<title>a<?b c?>d</title>",
    b"<title>a<b>c</b></title>",
    b"<title>a</title><title>b</title>",
    b"<title>&uuml;</title>",
    b"<title>&#0;</title>",
    b"<title>&#xD83C;&#xDFB5;</title>",
    b"<title>&#x110000;</title>",
    b"<title>& </title>",
    b"<title>&amp</title>",
    b"<title>a\0b</title>",
    b"<title>a\xffb</title>",
    b"<title>a\xc3</title>",
    b"<title>\xed\xa0\x80</title>",
    b"<title>\xc0\xaf</title>",
    b"<title>\xf4\x90\x80\x80</title>",
    b"<title>a</titel>",
    b"<title>a</title",
    b"<title",
    b"<title a=",
    b'<title a="',
    b"<mood>&uuml;</mood>",
    b'<mood x="&uuml;"/>',
    b'<mood x="<"/>',
    b'<mood x="1" x="2"/>',
    b"<mood x=1/>",
    b'<mood x="1"y="2"/>',
    b"<mood x/>",
    b"<mood / >",
    b"< mood/>",
    b"<1mood/>",
    b"</mood>",
    b'<x:mood xmlns:x="u"/>',
    b'<mood xmlns="u"/>',
    b"<" + b"m" * 100_000,
    b"<mood " + b" ".join(b'a%d="1"' % i for i in range(20)) + b"/>",
    b"<x>" * 5_000 + b"</x>" * 5_000,
    b"<x>" * 70 + b"</x>" * 70,
    b"<master_id>x</master_id>",
    b"<master_id>2147483648</master_id>",
    b"<master_id>-1</master_id>",
    b'<videos><video embed="maybe"/></videos>',
    b"<artists><artist/></artists>",
    b"<artists></artists><artists></artists>",
    b"</release><release>",
    b"</release>stray",
    b"</release></release>",
]


@pytest.mark.parametrize("text", READ, ids=range(len(READ)))
def test_a_text_is_read(text: str) -> None:
    quoted = text.replace("\r", "&#13;").replace("\n", "&#10;").replace('"', "&quot;")
    record = f'<release id="2" status="{quoted}"><title>{text}</title></release>'.encode()
    assert refused(RELEASES, GOOD, record, GOOD) == []


@pytest.mark.parametrize("inner", REFUSED, ids=range(len(REFUSED)))
def test_an_unusual_record_is_refused_alone(inner: bytes) -> None:
    record = b'<release id="2"><country>C</country>' + inner + b"</release>"
    assert refused(RELEASES, GOOD, record, GOOD) == [1]


#: Not well-formed, but no value is affected.
MENDED = [
    b"<!-- a -- b -->",
    b"<!-- <title>B</title> \xff -- -->",
    b"\xff",
    b"<mood>\xff\0</mood>",
    b'<mood 1="b"/>',
    b'<mood a="1"b="2"/>',
    b"<x:y>b</x:y>",
    b"<x>" * 9_000 + b"</x>" * 9_000,
]
#: A value is affected.
LOST = [
    b"<country>C\xff</country>",
    b"<country>a<!-- -- -->b</country>",
    b"<country>A</countri>",
    b"<mood -- a --/>",
    b"<!DOCTYPE a>",
    b"<!-- a -- b",
    b"<x>" * 20_000 + b"</x>" * 20_000,
]


@pytest.mark.parametrize("fast", [True, False])
def test_a_record_that_is_not_well_formed_is_read_if_its_values_are_whole(fast: bool) -> None:
    parser = Parser(RELEASES, fast=fast)
    records = [b'<release id="1"><title>T</title>' + each + b"</release>" for each in MENDED + LOST]
    parsed = parser.parse(block_of(RELEASES, *records))
    count = len(MENDED)
    assert parsed.tables["releases"]["id"].to_pylist() == list(range(1, count + 1))
    assert parsed.tables["releases"]["title"].to_pylist() == ["T"] * count
    assert [reject.record_id for reject in parsed.rejected] == list(
        range(count + 1, len(records) + 1)
    )


@pytest.mark.parametrize("before", [b"&#13;", b"&#32;", b"x", b"&amp;"])
def test_a_record_with_a_text_before_it_is_refused_alone(before: bytes) -> None:
    good = b"<artist><id>1</id><name>A</name></artist>"
    odd = before + b"<artist><id>2</id><name>B</name></artist>"
    assert refused(Entity.ARTISTS, good, odd, good) == [1]
    assert refused(Entity.ARTISTS, b" \r\n" + good) == []


def test_a_record_cut_anywhere_is_refused_alone() -> None:
    whole = FULL_RELEASE.encode()
    parts = [whole[:end] for end in range(1, len(whole))]
    records = [record for part in parts for record in (GOOD, part)]
    assert refused(RELEASES, *records) == list(range(1, len(records), 2))
    assert refused(RELEASES, GOOD, whole, GOOD, whole + b"\r\n ") == []


def test_sub_tracks_and_members_of_every_format_are_read() -> None:
    assert refused(RELEASES, f'<release id="1">{SUB_TRACKS}</release>'.encode()) == []
    older = b'<id>26</id><name id="26">A</name><id>27</id><name id="27">B</name>'
    oldest = b'<id>26</id>\n<name>A</name><name>B</name><id>5</id><id/><name id="">C</name>'
    members = [b"<members>" + inner + b"</members>" for inner in (older, oldest)]
    records = [b"<artist><id>1</id>" + inner + b"</artist>" for inner in members]
    assert refused(ARTISTS, *records) == []


def test_what_the_mapping_does_not_name_is_counted_in_every_record_that_is_read() -> None:
    unknown = b'<mood/><mood a="1"/><title lang="en">T</title><artists>stray</artists>'
    record = b'<release id="1">' + unknown + b"</release>"
    broken = record.replace(b"</artists>", b"</artists>&broken;")
    parsed, _ = KERNEL[RELEASES].parse(block_of(RELEASES, *[record, broken] * 200))
    assert parsed.findings.unmapped == {
        "release/mood": 400,
        "release/title/@lang": 200,
        "release/artists/text()": 200,
    }


def test_a_record_with_very_many_unknown_names_is_refused() -> None:
    many = b"".join(b"<a%d/>" % n for n in range(100))
    assert refused(RELEASES, GOOD, b'<release id="2">' + many + b"</release>", GOOD) == [1]


def random_records(random: Random, entity: Entity) -> list[bytes]:
    """Records made from the mapping, with some bytes of most of them changed."""
    made = []
    for number in range(1, 40):
        maker = Maker(random.randrange(2**32), odd=random.random() < 0.3)
        made.append(changed(random, maker.record(entity, number)[0].encode()))
        if entity is RELEASES:
            made.append(changed(random, FULL_RELEASE.encode()))
    return made


WORDS = [
    *(b"<", b">", b"&", b'"', b"'", b"/", b"=", b"</", b"/>", b" ", b"\n", b"\t", b"\r", b"\r\n"),
    *(b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x?>", b"<a/>", b"<a>", b"</a>", b"<x:y/>"),
    *(b"<track>", b"</track>", b"<title>", b"</title>", b"<title/>", b"<sub_tracks>", b"<name>"),
    *(b"<id>1</id>", b"<label/>", b"<genre> </genre>", b"0", b"-1", b"+", b"99999999999", b"true"),
    *(b"&amp;", b"&#0;", b"&#x41;", b"&#13;", b"&#1;", b"&x;", b"&#55357;", b"&#x110000;"),
    *(b" x='1'", b' id="5"', b" id='7'", b' xmlns="u"', b" xml:lang='e'", b' 1="x"', b' a="<"'),
    *(b"\xc2\xa0", b"\xe2\x80", b"\xff", b"\xef\xbf\xbe", b"\xf0\x9f", b"\x01", b"\0"),
]


def changed(random: Random, xml: bytes) -> bytes:
    data = bytearray(xml)
    for _ in range(random.choice((0, 1, 1, 2))):
        at = random.randrange(len(data))
        if random.random() < 0.6:  # beside markup, where it matters most
            found = data.find(random.choice((b"<", b">", b'"', b"&", b"=")), at)
            at = max(0, (found if found >= 0 else at) + random.choice((-1, 0, 0, 1)))
        kind = random.random()
        if kind < 0.4:
            data[at:at] = random.choice(WORDS)
        elif kind < 0.6:
            del data[at : at + random.choice((1, 1, 2, 5))]
        elif kind < 0.8:
            data[at : at + 1] = random.choice(WORDS)
        else:
            start = random.randrange(len(data))
            data[at:at] = data[start : start + random.randrange(60)]
    return bytes(data) or b"<"


def fuzz(seed: int, count: int) -> None:
    random, records, read = Random(seed), 0, 0
    for _ in range(count):
        for entity in Entity:
            made = random_records(random, entity)
            records += len(made)
            read += len(made) - len(refused(entity, *made))
    # It would hold for a kernel that refuses everything, or for records that nothing is done to.
    assert 0.15 < read / records < 0.6


@pytest.mark.parametrize("seed", range(3))
def test_changed_records_are_read_alike_or_refused(seed: int) -> None:
    fuzz(seed, 5)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_changed_records_are_read_alike_or_refused(seed: int) -> None:
    fuzz(seed, 200)


def test_random_bytes_are_refused() -> None:
    random = Random(3)
    junk = [random.randbytes(random.randrange(1, 400)) for _ in range(1_000)]
    records = [record for each in junk for record in (GOOD, each)]
    assert refused(RELEASES, *records) == list(range(1, len(records), 2))


def test_the_memory_is_reused() -> None:
    instance = Kernel(Program(RELEASES_MAPPING))
    labels = b"<labels>" + b'<label id="1"/>' * 5_000 + b"</labels>"
    record = b'<release id="1">' + labels + b"</release>"
    # Half of them are refused at their end, after their rows were added.
    block = block_of(RELEASES, *[record, record[:-1] + b"?"] * 20)
    sizes = set()
    for _ in range(5):
        found = instance.parse(block.data, block.starts)
        assert found.tables["release_labels"].rows == 100_000
        sizes.add(instance.memory_bytes)
    assert len(sizes) == 1


def test_a_block_for_which_the_memory_is_too_small_is_read_by_lxml(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel, "MEMORY_BYTES", 2 * 1024 * 1024)
    record = b'<release id="1"><genres>' + b"<genre>R</genre>" * 50_000 + b"</genres></release>"
    block = block_of(RELEASES, record)
    with pytest.raises(KernelFailed):
        Kernel(Program(RELEASES_MAPPING)).parse(block.data, block.starts)
    assert Parser(RELEASES).parse(block).tables["release_genres"].num_rows == 50_000
    small = block_of(RELEASES, GOOD)
    parser = KernelParser(RELEASES)
    assert parser.parse(block)[1].tolist() == [0]
    assert parser.parse(small)[1].tolist() == []


def test_threads_share_a_parser() -> None:
    block = blocks(RELEASES, dump(RELEASES, *[FULL_RELEASE] * 200))[0][0]
    parser = KernelParser(RELEASES)
    with ThreadPoolExecutor(4) as pool:
        found = [parsed for parsed, _ in pool.map(parser.parse, [block] * 40)]
    first = found[0]
    for parsed in found:
        assert parsed.tables == first.tables


def test_threads_that_begin_at_once_share_what_is_compiled() -> None:
    program = (
        "import sys, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from discogs.records.kernel import Kernel\n"
        "from discogs.records.kernel_program import Program\n"
        "from discogs.schema.mapping import LABELS\n"
        "sys.setswitchinterval(1e-5)\n"
        "begin = threading.Barrier(8)\n"
        "def make(_):\n"
        "    begin.wait()\n"
        "    return Kernel(Program(LABELS))\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    assert len(list(pool.map(make, range(8)))) == 8\n"
    )
    plugins = Path(kernel.__file__).parents[2]
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(plugins)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_field_that_is_added_to_the_mapping_is_read() -> None:
    from discogs.schema.model import Field

    fields = (*ARTISTS_MAPPING.fields, Field("mood", "mood"), Field("deep", "mood/@deep"))
    instance = Kernel(Program(dataclasses.replace(ARTISTS_MAPPING, fields=fields)))
    data = b'<artist><id>1</id><mood deep="x">dark</mood></artist>'
    columns = instance.parse(data, np.zeros(1, np.int64)).tables["artists"].columns
    assert (columns["mood"].to_pylist(), columns["deep"].to_pylist()) == (["dark"], ["x"])
