"""LxmlParser: lxml, one record at a time, driven by the mapping.

It reads what ArrowParser does not support, says what is wrong with a record that cannot be
read, and gives the same rows for everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from lxml import etree

from discogs.records.block import REJECTED_XML_BYTES, Block, ParsedBlock, Rejected
from discogs.records.columns import SPACE, arrow_schema, finish
from discogs.records.record_xml import MAX_DEPTH, parse_record
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import EntityMapping, Field, Rows
from discogs.schema.tables import Type


class Unreadable(ValueError):
    """A record that parses as XML but does not fit the tables; the text is the reason."""


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
        tree = parse_record(xml)
        element, originals = tree.element, tree.originals
        if element.tag != self.mapping.entity.record:
            raise Unreadable(f"the record is a <{element.tag}>")
        _check_depth(element)
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self.schemas}
        path = self.mapping.id_path
        if not path.startswith("@") and len(list(element.iterchildren(path))) > 1:
            raise Unreadable(f"<{path}> stands more than once in <{element.tag}>")
        values = [_value(element, field, originals) for field in self.mapping.fields]
        rows[self.mapping.root.name].append((record_id, *values))
        self._below(element, self.mapping.rows, (record_id,), rows, originals)
        return rows

    def _below(
        self,
        element: etree._Element,
        children: tuple[Rows, ...],
        key: tuple[int, ...],
        rows: dict[str, list[tuple[Any, ...]]],
        originals: dict[int, str],
    ) -> None:
        for child in children:
            counter = iter(range(1, 2**31))
            for found in _elements(element, child.path):
                self._row(found, child, key, counter, None, rows, originals)

    def _row(
        self,
        element: etree._Element,
        child: Rows,
        key: tuple[int, ...],
        counter: Iterator[int],
        parent_seq: int | None,
        rows: dict[str, list[tuple[Any, ...]]],
        originals: dict[int, str],
    ) -> None:
        seq = next(counter)
        above = (*key, seq, parent_seq) if child.nests else (*key, seq)
        values = (_value(element, field, originals) for field in child.fields)
        rows[child.table].append((*above, *values))
        self._below(element, child.rows, (*key, seq), rows, originals)
        if child.nests:
            for nested in _elements(element, child.nests):
                self._row(nested, child, key, counter, seq, rows, originals)


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


def _value(element: etree._Element, field: Field, originals: dict[int, str]) -> Any:
    if field.type is Type.TEXT_ARRAY:
        texts = [_clean(_own_text(e), originals) for e in _elements(element, field.path)]
        return [text for text in texts if text is not None] or None
    text = _clean(_raw(element, field), originals)
    if text is None and field.before:
        sibling = element.getprevious()
        if sibling is not None and sibling.tag == field.before:
            text = _clean(sibling.text, originals)
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


def _clean(text: str | None, originals: dict[int, str]) -> str | None:
    if text is None:
        return None
    text = text.strip(SPACE)
    return (text.translate(originals) if originals else text) or None


def _integer(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        # As ArrowParser: spaces of every kind around a number mean nothing.
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
