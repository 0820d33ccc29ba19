"""Defects of records and files: an example of each, and the result of its load."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

from discogs.errors import DumpError
from discogs.records.errors import CorruptDump, NotADump, TruncatedDump
from discogs.schema.entities import Entity

#: The limit of a record's size for these examples.
CAP = 100_000


def releases(*records: bytes) -> bytes:
    return b"<releases>\n" + b"\n".join(records) + b"\n</releases>\n"


def good(number: int) -> bytes:
    return b'<release id="%d"><title>Good</title></release>' % number


@dataclass(frozen=True)
class Defect:
    """A malformed record: ``%d`` is its id; the reason is None if it is loaded anyway."""

    name: str
    xml: bytes
    reason: str | None
    #: Whether the rejected record has an id.
    known: bool = True
    #: The title, if the record is loaded.
    title: str | None = None
    #: How many records are rejected.
    rejects: int = 1


def defect(name: str, inner: bytes, reason: str) -> Defect:
    return Defect(name, b'<release id="%d">' + inner + b"</release>", reason)


def kept(name: str, inner: bytes, title: str | None) -> Defect:
    return Defect(name, b'<release id="%d">' + inner + b"</release>", None, title=title)


NO_ID = "the record has no id"
DEFECTS = (
    defect("unclosed element", b"<title>A", "Opening and ending tag mismatch: title"),
    defect("mismatched tag", b"<title>A</titel>", "Opening and ending tag mismatch"),
    defect("crossed tags", b"<title><b>A</title></b>", "Opening and ending tag mismatch"),
    defect("undefined entity", b"<title>&uuml;</title>", "Entity 'uuml' not defined"),
    defect("raw ampersand", b"<title>Rock & Roll</title>", "xmlParseEntityRef"),
    defect("raw less-than", b"<title>1 < 2</title>", "invalid element name"),
    defect(
        "raw ampersand in an attribute",
        b'<labels><label name="A & B"/></labels>',
        "xmlParseEntityRef",
    ),
    defect("duplicate attribute", b'<formats><format qty="1" qty="2"/></formats>', "redefined"),
    defect("attribute without quotes", b"<formats><format qty=1/></formats>", "AttValue"),
    defect("invalid UTF-8", b"<title>A\xff\xfe</title>", "Invalid bytes in character encoding"),
    defect("surrogate in UTF-8", b"<title>\xed\xa0\x80</title>", "Invalid bytes"),
    defect("reference out of bounds", b"<title>&#99999999999;</title>", "out of bounds"),
    defect("doubled title", b"<title>A</title><title>B</title>", "occurs more than once"),
    defect(
        "doubled id of a credit",
        b"<artists><artist><id>1</id><id>2</id></artist></artists>",
        "occurs more than once",
    ),
    defect("record beyond the byte cap", b"<notes>" + b"n" * CAP + b"</notes>", "longer than"),
    defect(
        "document type within",
        b'<!DOCTYPE a [<!ENTITY b "c">]><title>&b;</title>',
        "StartTag|DOCTYPE|not well-formed|invalid",
    ),
    Defect("id missing", b"<release><title>%d</title></release>", NO_ID, known=False),
    Defect("id empty", b'<release id=""><title>%d</title></release>', NO_ID, known=False),
    Defect("id 0", b'<release id="0"><title>%d</title></release>', "'0' is not a", known=False),
    Defect("id negative", b'<release id="-%d"></release>', "is not a number", known=False),
    Defect("id no number", b'<release id="x%d"></release>', "is not a number", known=False),
    Defect(
        "id too large", b'<release id="2147483648"><title>%d</title></release>', "is not", False
    ),
    Defect("duplicate id", b'<release id="1"><title>%d</title></release>', "a second time", False),
    Defect("unclosed record", b'<release id="%d"><title>A</title>', "Premature end of data"),
    Defect("unclosed record of two", b'<release id="%d"><notes><', "invalid element name"),
    Defect(
        "spoilt end of a record", b'<release id="%d"><title>A</title></relase>', "tag mismatch"
    ),
    Defect(
        "nested release",
        b'<release id="%d"><x><release id="999001"></release></x></release>',
        "Premature end",
        rejects=2,
    ),
    Defect("text between records", b"some text %d", "bytes between records", known=False),
    Defect("element between records", b"<note>%d</note>", "bytes between records", known=False),
    Defect("end without a start", b"</release><!-- %d -->", "bytes between records", known=False),
    Defect(
        "CDATA between records with a record in it",
        b'<![CDATA[<release id="999002">%d</release>]]>',
        "bytes between records",
        known=False,
    ),
    Defect(
        "entity bomb between records",
        b'<!DOCTYPE b [<!ENTITY a "%d"><!ENTITY c "&a;&a;">]>',
        "bytes between records",
        known=False,
    ),
    # Unusual, but harmless content.
    kept("NUL byte", b"<title>A\0B</title>", "A\ufffdB"),
    kept("NUL by reference", b"<title>A&#0;B</title>", "A\ufffdB"),
    kept("half of a surrogate pair by reference", b"<title>A&#xD83D;B</title>", "A\ufffdB"),
    kept("raw control characters", b"<title>A\x07\x1bB</title>", "A\x07\x1bB"),
    kept("control character by reference", b"<title>A&#7;B</title>", "A\x07B"),
    kept("processing instruction", b"<?php echo ?><title>A<?x?>B</title>", "AB"),
    kept("comment with fake tags", b"<!-- <title>B</title> --><title>A</title>", "A"),
    kept("CDATA with fake tags", b"<title><![CDATA[<title>A]]></title>", "<title>A"),
    kept("end of CDATA in a text", b"<title>A]]>B</title>", "A]]>B"),
    kept("absurd depth", b"<x>" * 9_000 + b"</x>" * 9_000 + b"<title>A</title>", "A"),
    kept("two hyphens in a comment", b"<!-- a -- b --><title>A</title>", "A"),
    kept("invalid UTF-8 between elements", b"\xff<title>A</title>", "A"),
    kept("attribute of a bad name", b'<title 1="b">A</title>', "A"),
    kept("less-than in an attribute", b'<title b="<">A</title>', "A"),
    kept("no space between attributes", b'<title a="1"b="2">A</title>', "A"),
    kept("undeclared prefix", b"<x:y>b</x:y><title>A</title>", "A"),
    kept("width that is no number", b"<images><image width='x'/></images><title>A</title>", "A"),
    kept("surrogate pair by reference", b"<title>&#xD83D;&#56832;</title>", "\U0001f600"),
    kept("two halves in the wrong order", b"<title>&#xDE00;&#xD83D;</title>", "\ufffd\ufffd"),
    kept(
        "end of a record in CDATA",
        b"<notes><![CDATA[</release>]]></notes><title>A</title>",
        "A",
    ),
    kept(
        "another record in a comment",
        b"<title>A</title><!-- </release>\n<release id='999004'> -->",
        "A",
    ),
    kept("unknown elements", b'<mood><title>B</title></mood><title x="1">A</title>', "A"),
    kept("quantity beyond any number", b'<formats><format qty="9e999"/></formats>', None),
    Defect("spaces in tags", b"<release\n id='%d' ><title >A</title ></release>", None, True, "A"),
    Defect("record without end tag", b'<release id="%d"/>', None),
    Defect(
        "comment between records with a record in it",
        b'<!-- \n<release id="999003">%d</release>\n -->',
        None,
        rejects=0,
    ),
)  # fmt: skip


OTHERS: dict[Entity, list[tuple[str, str]]] = {
    Entity.MASTERS: [
        ('<master id="5"><year>1999</yaer></master>', "tag mismatch"),
        ('<master id="6"><title>A & B</title></master>', "xmlParseEntityRef"),
    ],
    Entity.ARTISTS: [
        ("<artist><id>5</id><name>A</nam></artist>", "tag mismatch"),
        ("<artist><id>6</id><name>A</name>", "Premature end of data"),
        ("<artist><id>7</id><id>8</id></artist>", "<id> occurs more than once"),
    ],
    Entity.LABELS: [
        ("<label><id>5</id><name>A</name>", "Premature end of data"),
        ('<label><id>6</id><sublabels><label id="9">A</sublabels></label>', "tag mismatch"),
    ],
}


# Files.

SOUND = releases(*map(good, range(1, 60)))
PACKED = gzip.compress(SOUND, mtime=0)


def flipped(at: int) -> bytes:
    packed = bytearray(PACKED)
    packed[at] ^= 0xFF
    return bytes(packed)


REFUSED: dict[str, tuple[bytes, type[DumpError], str]] = {
    "missing root end": (gzip.compress(SOUND[:-13]), TruncatedDump, "is not closed at byte"),
    "cut within a record": (gzip.compress(SOUND[:200]), TruncatedDump, "is not closed at byte"),
    "cut gzip": (PACKED[:-30], TruncatedDump, "ends before its end marker"),
    "gzip without its trailer": (PACKED[:-8], TruncatedDump, "ends before its end marker"),
    "corrupt gzip CRC": (flipped(-6), CorruptDump, "CRC"),
    "corrupt gzip length": (flipped(-2), CorruptDump, "ncorrect length"),
    "corrupt deflate": (flipped(40), DumpError, "is damaged|is cut short"),
    "not gzip": (SOUND, NotADump, "it is not a gzip file"),
    "HTML in place of the file": (b"<html>Not found</html>", NotADump, "it is not a gzip file"),
    "empty file": (b"", TruncatedDump, "it is empty"),
    "empty gzip": (gzip.compress(b""), TruncatedDump, "it is empty"),
    "garbage after the gzip": (PACKED + b"g" * 100, CorruptDump, "something else than gzip"),
    "another entity": (
        gzip.compress(b"<artists>\n<artist><id>1</id></artist>\n</artists>\n"),
        NotADump,
        "root element is <artists>, not <releases>",
    ),
    "UTF-16": (gzip.compress(SOUND.decode().encode("utf-16")), NotADump, "UTF-16"),
    "Latin-1": (
        gzip.compress(b'<?xml version="1.0" encoding="latin-1"?>' + SOUND),
        NotADump,
        "encoded in latin-1, not UTF-8",
    ),
    "entity bomb": (
        gzip.compress(b'<!DOCTYPE b [<!ENTITY a "aaa"><!ENTITY b "&a;&a;&a;">]>' + SOUND),
        NotADump,
        "declares a document type",
    ),
    "external entity": (
        gzip.compress(b'<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SOUND),
        NotADump,
        "declares a document type",
    ),
    "second root": (gzip.compress(SOUND + SOUND), CorruptDump, "and records follow"),
    "record after the root": (gzip.compress(SOUND + good(99)), CorruptDump, "records follow"),
    "text in place of XML": (gzip.compress(b"Access denied"), NotADump, "'Access denied'"),
}
