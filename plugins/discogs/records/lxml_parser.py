"""The careful parser: lxml, one record at a time, driven by the mapping.

It reads what the fast parser refuses, tells what is wrong with what nobody can read, and
gives the same rows for everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from lxml import etree

from discogs.records.block import REJECTED_XML_BYTES, Block, ParsedBlock, Rejected
from discogs.records.columns import SPACE, arrow_schema, finish
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import EntityMapping, Field, Rows
from discogs.schema.tables import Type

# PostgreSQL's text takes every character but NUL; XML 1.0 forbids most control characters,
# yet they occur in dumps, raw or as references. They pass through lxml as characters of
# private use, of which 64 that the record itself does not hold stand for them.
_FORBIDDEN = [code for code in range(1, 32) if code not in (9, 10, 13)] + [0xFFFE, 0xFFFF]
_PRIVATE = range(0x100000, 0x10FFC0, 64)
#: NUL, and halves of surrogate pairs, become the replacement character.
_REPLACEMENT = "\ufffd"
_RAW_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_TAG = re.compile(rb"""<[^\s<>/"']+(?:\s+[^\s=<>/"']+\s*=\s*(?:"[^"]*"|'[^']*'))+\s*/?>""")

#: Deeper than this is no record of Discogs', whose deepest element is the eighth.
MAX_DEPTH = 64


class Unreadable(ValueError):
    """A record that parses as XML but does not fit the tables; the text is the reason."""


@dataclass(frozen=True)
class _Tamed:
    """A record's bytes as XML allows them, and the characters that came in others' place."""

    xml: bytes
    back: dict[int, str]


def parse_record(xml: bytes) -> etree._Element:
    """Parse one record, with nothing expanded, fetched or guessed.

    Characters that XML forbids are characters of private use in it.

    :raises etree.XMLSyntaxError: when it is not well-formed.
    """
    return _parsed(_tame(xml).xml)


def parsed_so_far(xml: bytes) -> Iterator[tuple[str, etree._Element]]:
    """The starts and ends of the elements of one record, up to where it is broken."""
    parser = etree.XMLPullParser(events=("start", "end"), **_OPTIONS)
    with suppress(etree.XMLSyntaxError):
        parser.feed(_tame(xml).xml)
    with suppress(etree.XMLSyntaxError):
        yield from parser.read_events()


_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": True,
    "remove_comments": True,
    "remove_pis": True,
    "encoding": "utf-8",
}


def _parsed(xml: bytes) -> etree._Element:
    try:
        return etree.fromstring(xml, etree.XMLParser(**_OPTIONS))
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.ERR_LT_IN_ATTRIBUTE or b"<![CDATA[" in xml:
            raise
    # What is meant is plain, and the fast parser reads it.
    xml = _TAG.sub(lambda tag: b"<" + tag[0][1:].replace(b"<", b"&lt;"), xml)
    return etree.fromstring(xml, etree.XMLParser(**_OPTIONS))


def _tame(xml: bytes) -> _Tamed:
    """The record with the characters that XML forbids replaced by others."""
    if b"]]>" in xml and b"<![CDATA[" not in xml:
        xml = xml.replace(b"]]>", b"]]&gt;")
    odd = _RAW_CONTROL.search(xml) is not None
    references = _references(xml) if b"&#" in xml else set()
    if not odd and not references - _ALLOWED:
        return _Tamed(xml, {})
    base = next(
        code
        for code in _PRIVATE
        if chr(code).encode()[:3] not in xml and not references & set(range(code, code + 64))
    )
    stand_ins = {code: base + at for at, code in enumerate(_FORBIDDEN)}

    def written(code: int, default: bytes) -> bytes:
        if code == 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            return _REPLACEMENT.encode()
        return chr(stand_ins[code]).encode() if code in stand_ins else default

    xml = _RAW_CONTROL.sub(lambda match: written(ord(match[0].decode()), match[0]), xml)
    xml = _REFERENCE.sub(lambda match: written(_code(match), match[0]), xml)
    return _Tamed(xml, {stand_in: chr(code) for code, stand_in in stand_ins.items()})


def _code(match: re.Match[bytes]) -> int:
    return int(match[1], 16) if match[1] else int(match[2])


def _references(xml: bytes) -> set[int]:
    return {_code(match) for match in _REFERENCE.finditer(xml)}


#: What may be referred to without ado: the characters that dumps refer to all the time.
_ALLOWED = {9, 10, 13, *range(32, 0xD800)}


class LxmlParser:
    """Parses blocks record by record; a record that fails is rejected, the others are not."""

    def __init__(self, entity: Entity) -> None:
        self.mapping: EntityMapping = MAPPINGS[entity]
        self.children = list(self.mapping.children())
        self.schemas = {t.name: arrow_schema(self.mapping, t) for t in self.mapping.tables().all}

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block; never raises for what a record holds."""
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self.schemas}
        rejected: list[Rejected] = []
        kept: list[int] = []
        for index in range(len(block)):
            xml = block.record(index)
            try:
                found = self._record(xml, int(block.ids[index]))
            except (etree.XMLSyntaxError, Unreadable) as error:
                reason = str(error) or "the record is not well-formed"
                rejected.append(
                    Rejected(
                        int(block.offsets[index]),
                        int(block.ids[index]),
                        reason,
                        xml[:REJECTED_XML_BYTES],
                    )
                )
                continue
            kept.append(index)
            for name, table_rows in found.items():
                rows[name].extend(table_rows)
        batches = {
            name: pa.RecordBatch.from_arrays(
                [
                    pa.array([row[i] for row in rows[name]], type=column.type)
                    for i, column in enumerate(schema)
                ],
                schema=schema,
            )
            for name, schema in self.schemas.items()
        }
        fingerprints = block.fingerprints[np.array(kept, dtype=np.int64)]
        return finish(self.mapping, batches, fingerprints, rejected)

    def _record(self, xml: bytes, record_id: int) -> dict[str, list[tuple[Any, ...]]]:
        tamed = _tame(xml)
        element = _parsed(tamed.xml)
        if element.tag != self.mapping.entity.record:
            raise Unreadable(f"the record is a <{element.tag}>")
        _check_depth(element)
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self.schemas}
        path = self.mapping.id_path
        if not path.startswith("@") and len(list(element.iterchildren(path))) > 1:
            raise Unreadable(f"<{path}> stands more than once in <{element.tag}>")
        values = [_value(element, field, tamed.back) for field in self.mapping.fields]
        rows[self.mapping.root.name].append((record_id, *values))
        self._below(element, self.mapping.rows, (record_id,), rows, tamed.back)
        return rows

    def _below(
        self,
        element: etree._Element,
        children: tuple[Rows, ...],
        key: tuple[int, ...],
        rows: dict[str, list[tuple[Any, ...]]],
        back: dict[int, str],
    ) -> None:
        for child in children:
            counter = iter(range(1, 2**31))
            for found in _elements(element, child.path):
                self._row(found, child, key, counter, None, rows, back)

    def _row(
        self,
        element: etree._Element,
        child: Rows,
        key: tuple[int, ...],
        counter: Iterator[int],
        parent_seq: int | None,
        rows: dict[str, list[tuple[Any, ...]]],
        back: dict[int, str],
    ) -> None:
        seq = next(counter)
        above = (*key, seq, parent_seq) if child.nests else (*key, seq)
        values = (_value(element, field, back) for field in child.fields)
        rows[child.table].append((*above, *values))
        self._below(element, child.rows, (*key, seq), rows, back)
        if child.nests:
            for nested in _elements(element, child.nests):
                self._row(nested, child, key, counter, seq, rows, back)


def _check_depth(element: etree._Element) -> None:
    depth, node = 0, [element]
    while node:
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable(f"elements nest deeper than {MAX_DEPTH}")
        node = [below for above in node for below in above]


def _elements(element: etree._Element, path: str) -> Iterator[etree._Element]:
    """The elements at ``container/row``, in document order, whichever container holds them."""
    container, _, row = path.partition("/")
    for holder in element.iterchildren(container):
        yield from holder.iterchildren(row)


def _value(element: etree._Element, field: Field, back: dict[int, str]) -> Any:
    if field.type is Type.TEXT_ARRAY:
        texts = [_clean(_own_text(e), back) for e in _elements(element, field.path)]
        return [text for text in texts if text is not None] or None
    text = _clean(_raw(element, field), back)
    if text is None and field.before:
        sibling = element.getprevious()
        if sibling is not None and sibling.tag == field.before:
            text = _clean(sibling.text, back)
    if text is None:
        return None
    try:
        return _CONVERT[field.type](text)
    except ValueError as error:
        raise Unreadable(f"{field.column}: {text[:80]!r} is not {field.type.value}") from error


def _raw(element: etree._Element, field: Field) -> str | None:
    path, at, attribute = field.path.rpartition("@")
    path = path.rstrip("/") if at else field.path
    if path:
        found = list(element.iterchildren(path))
        filled = [e for e in found if (e.text or "") != "" or len(e)]
        if len(filled) > 1:
            raise Unreadable(f"<{path}> stands more than once in <{element.tag}>")
        if not found:
            return None
        element = (filled or found)[0]
    if at:
        value: str | None = element.get(attribute)
        return value
    return _own_text(element)


def _own_text(element: etree._Element) -> str:
    """The text of an element, without that of the elements in it."""
    parts = [element.text or ""]
    for below in element:
        if isinstance(below, etree._Entity):
            raise Unreadable(f"the entity {below.text} is not defined")
        parts.append(below.tail or "")
    return "".join(parts)


def _clean(text: str | None, back: dict[int, str]) -> str | None:
    if text is None:
        return None
    text = text.strip(SPACE)
    return (text.translate(back) if back else text) or None


def _integer(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        # As the fast parser: spaces of every kind around a number mean nothing.
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
            raise ValueError(text)
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return convert


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("true", "1", "yes", "on", "t", "y"):
        return True
    if lowered in ("false", "0", "no", "off", "f", "n"):
        return False
    raise ValueError(text)


_CONVERT: dict[Type, Callable[[str], Any]] = {
    Type.TEXT: str,
    Type.SMALLINT: _integer(-(2**15), 2**15 - 1),
    Type.INTEGER: _integer(-(2**31), 2**31 - 1),
    Type.BOOLEAN: _boolean,
}
