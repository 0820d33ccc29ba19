"""A record as an XML tree, including characters that XML forbids.

PostgreSQL's text can have any character but NUL. XML 1.0 forbids most control characters, but they
occur in dumps, raw or as references. For lxml they are replaced by private-use characters that do
not occur in the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lxml import etree

_FORBIDDEN = [code for code in range(1, 32) if code not in (9, 10, 13)] + [0xFFFE, 0xFFFF]
#: Characters that XML allows and that many records refer to.
_ALLOWED = {9, 10, 13, *range(32, 0xD800)}
#: The starts of runs of 64 private-use characters.
_PRIVATE = range(0x100000, 0x10FFC0, 64)
#: U+FFFD, for NUL and unpaired surrogates.
_REPLACEMENT = b"\xef\xbf\xbd"
#: A character above U+FFFF, written as a reference to each of its UTF-16 surrogates.
_PAIR = re.compile(
    rb"&#(?:x0*([Dd][89ABab][0-9A-Fa-f]{2})|0*(5[56][0-9]{3}));"
    rb"&#(?:x0*([Dd][C-Fc-f][0-9A-Fa-f]{2})|0*(5[67][0-9]{3}));"
)
_RAW_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_TAG = re.compile(rb"""<[^\s<>/"']+(?:\s+[^\s=<>/"']+\s*=\s*(?:"[^"]*"|'[^']*'))+\s*/?>""")
_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": True,
    "remove_comments": True,
    "remove_pis": True,
    "encoding": "utf-8",
}


@dataclass(frozen=True)
class RecordTree:
    """A record's element, and the characters that were replaced in its texts."""

    element: etree._Element
    #: For ``str.translate``: the dump's characters by the private-use characters for them.
    originals: dict[int, str]
    #: How many characters became U+FFFD, since PostgreSQL cannot store them.
    replaced: int = 0

    def value(self, path: str) -> str | None:
        """The value of an attribute (``@id``), or the text of a child (``id``), of the record."""
        found = self.element.get(path[1:]) if path[0] == "@" else self.element.findtext(path)
        return None if found is None else str(found)


def parse_record(xml: bytes) -> RecordTree:
    """Parse a record, without expanding entities or fetching anything.

    :raises etree.XMLSyntaxError: when it is not well-formed.
    """
    sanitized, originals, replaced = _sanitize(xml)
    return RecordTree(_parse(sanitized), originals, replaced)


def reason_of(error: etree.XMLSyntaxError) -> str:
    """lxml's message, without its file name and line."""
    return re.sub(r" \(<string>, line \d+\)$", "", str(error)) or "the record is not well-formed"


def is_well_formed(xml: bytes) -> bool:
    """Whether a record can be parsed."""
    try:
        parse_record(xml)
    except etree.XMLSyntaxError:
        return False
    return True


def read_value(xml: bytes, path: str) -> str | None:
    """The value at a path, as ``RecordTree.value``; of a record that is not well-formed, the text
    of a child that ends before the error."""
    try:
        return parse_record(xml).value(path)
    except etree.XMLSyntaxError:
        pass
    depth = 0
    for event, element in _events(xml):
        depth += 1 if event == "start" else -1
        if event == "end" and depth == 1 and element.tag == path:
            return element.text or ""
    return None


def _events(xml: bytes) -> Iterator[tuple[str, etree._Element]]:
    """The start and end events of a record's elements, up to the first error."""
    parser = etree.XMLPullParser(events=("start", "end"), **_OPTIONS)
    with suppress(etree.XMLSyntaxError):
        parser.feed(_sanitize(xml)[0])
    with suppress(etree.XMLSyntaxError):
        yield from parser.read_events()


def _parse(xml: bytes) -> etree._Element:
    try:
        return etree.fromstring(xml, etree.XMLParser(**_OPTIONS))
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.ERR_LT_IN_ATTRIBUTE or b"<![CDATA[" in xml:
            raise
    # A "<" in an attribute's value: escape it.
    xml = _TAG.sub(lambda tag: b"<" + tag[0][1:].replace(b"<", b"&lt;"), xml)
    return etree.fromstring(xml, etree.XMLParser(**_OPTIONS))


def _sanitize(xml: bytes) -> tuple[bytes, dict[int, str], int]:
    """The record with private-use characters in place of those that XML forbids, the original of
    each, and how many characters became U+FFFD.
    """
    if b"]]>" in xml and b"<![CDATA[" not in xml:
        xml = xml.replace(b"]]>", b"]]&gt;")
    has_raw = _RAW_CONTROL.search(xml) is not None
    references = _references(xml) if b"&#" in xml else set()
    if any(0xD800 <= code <= 0xDFFF for code in references):
        xml = _PAIR.sub(_paired, xml)
        references = _references(xml)
    if not has_raw and not references - _ALLOWED:
        return xml, {}, 0
    base = next(
        code
        for code in _PRIVATE
        if chr(code).encode()[:3] not in xml and not references & set(range(code, code + 64))
    )
    stand_ins = {code: base + at for at, code in enumerate(_FORBIDDEN)}
    replaced = 0

    def substitute(code: int, default: bytes) -> bytes:
        nonlocal replaced
        if code == 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            replaced += 1
            return _REPLACEMENT
        return chr(stand_ins[code]).encode() if code in stand_ins else default

    xml = _RAW_CONTROL.sub(lambda match: substitute(ord(match[0].decode()), match[0]), xml)
    xml = _REFERENCE.sub(lambda match: substitute(_code(match), match[0]), xml)
    return xml, {stand_in: chr(code) for code, stand_in in stand_ins.items()}, replaced


def _paired(match: re.Match[bytes]) -> bytes:
    """The character of a surrogate pair; references that are not a pair stay as they are."""
    high = int(match[1], 16) if match[1] else int(match[2])
    low = int(match[3], 16) if match[3] else int(match[4])
    if not (0xD800 <= high <= 0xDBFF and 0xDC00 <= low <= 0xDFFF):
        return match[0]
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).encode()


def _code(match: re.Match[bytes]) -> int:
    return int(match[1], 16) if match[1] else int(match[2])


def _references(xml: bytes) -> set[int]:
    return {_code(match) for match in _REFERENCE.finditer(xml)}
