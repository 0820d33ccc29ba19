"""LxmlParser: parses one record at a time with lxml.

It reads the records that KernelParser refuses, and gives the reason for each record that cannot be
read. For all other records it returns the same rows as KernelParser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from lxml import etree

from discogs.records.block import REJECTED_XML_BYTES, Block, Findings, ParsedBlock, Rejected
from discogs.records.columns import (
    SPACE,
    TableLayout,
    arrow_schema,
    convert,
    finish,
    layouts,
)
from discogs.records.record_xml import parse_record, reason_of
from discogs.records.schema_drift import SchemaDrift
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import EntityMapping, Field, Rows
from discogs.schema.tables import Type


class Unreadable(ValueError):
    """A well-formed record that does not fit the tables; the message is the reason."""


@dataclass
class _Found:
    """The rows of a record that is being parsed."""

    #: The characters of the dump by the characters that stand for them.
    originals: dict[int, str]
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    invalid: Counter[str] = field(default_factory=Counter)

    def clean(self, text: str | None) -> str | None:
        """A text as it is stored; None if it is empty."""
        if text is None:
            return None
        text = text.strip(SPACE)
        return (text.translate(self.originals) if self.originals else text) or None


class LxmlParser:
    """Parses blocks record by record; a record that cannot be read is rejected by itself."""

    def __init__(self, entity: Entity) -> None:
        self.mapping: EntityMapping = MAPPINGS[entity]
        self.drift = SchemaDrift(entity)
        self.layouts = {layout.table.name: layout for layout in layouts(self.mapping)}
        self.schemas = {t.name: arrow_schema(self.mapping, t) for t in self.mapping.tables().all}

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block; raises no error for the content of a record."""
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self.schemas}
        findings = Findings()
        rejected: list[Rejected] = []
        kept: list[int] = []
        for index in range(len(block)):
            xml = block.record(index)
            number = int(block.ids[index])
            try:
                tree = parse_record(xml)
                found = self._record(tree.element, number, _Found(tree.originals))
            except (etree.XMLSyntaxError, Unreadable) as error:
                is_syntax = isinstance(error, etree.XMLSyntaxError)
                reason = reason_of(error) if is_syntax else str(error)
                offset = int(block.offsets[index])
                rejected.append(Rejected(offset, number, reason, xml[:REJECTED_XML_BYTES]))
                continue
            kept.append(index)
            findings.replaced += tree.replaced
            findings.invalid.update(found.invalid)
            self.drift.count(tree.element, findings.unmapped)
            for name, table_rows in found.rows.items():
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
        return finish(self.mapping, batches, fingerprints, rejected, findings)

    def _record(self, element: etree._Element, record_id: int, found: _Found) -> _Found:
        if element.tag != self.mapping.entity.record:
            raise Unreadable(f"the record is a <{element.tag}>")
        path = self.mapping.id_path
        if not path.startswith("@") and len(list(element.iterchildren(path))) > 1:
            raise Unreadable(f"<{path}> occurs more than once in <{element.tag}>")
        layout = self.layouts[self.mapping.root.name]
        values = [_value(element, item, layout, found) for item in layout.fields]
        found.rows[layout.table.name] = [(record_id, *values)]
        self._below(element, self.mapping.rows, (record_id,), found)
        return found

    def _below(
        self,
        element: etree._Element,
        children: tuple[Rows, ...],
        key: tuple[int, ...],
        found: _Found,
    ) -> None:
        for child in children:
            counter = iter(range(1, 2**31))
            for below in _elements(element, child.path):
                self._row(below, child, key, counter, None, found)

    def _row(
        self,
        element: etree._Element,
        child: Rows,
        key: tuple[int, ...],
        counter: Iterator[int],
        parent_seq: int | None,
        found: _Found,
    ) -> None:
        if _is_empty(element):
            return
        seq = next(counter)
        above = (*key, seq, parent_seq) if child.nests else (*key, seq)
        layout = self.layouts[child.table]
        values = (_value(element, item, layout, found) for item in child.fields)
        found.rows.setdefault(child.table, []).append((*above, *values))
        self._below(element, child.rows, (*key, seq), found)
        if child.nests:
            for nested in _elements(element, child.nests):
                self._row(nested, child, key, counter, seq, found)


def _is_empty(element: etree._Element) -> bool:
    """Whether an element has no text, no attribute and no child, and so becomes no row."""
    return not (len(element) or element.attrib or (element.text or "").strip(SPACE))


def _elements(element: etree._Element, path: str) -> Iterator[etree._Element]:
    """The elements at ``container/row`` in document order, of all containers of that name."""
    container, _, row = path.partition("/")
    for outer in element.iterchildren(container):
        yield from outer.iterchildren(row)


def _value(element: etree._Element, item: Field, layout: TableLayout, found: _Found) -> Any:
    if item.type is Type.TEXT_ARRAY:
        texts = [found.clean(_own_text(e)) for e in _elements(element, item.path)]
        return [text for text in texts if text is not None] or None
    text = found.clean(_raw(element, item))
    if text is None and item.before:
        sibling = element.getprevious()
        if sibling is not None and sibling.tag == item.before:
            text = found.clean(sibling.text)
    if text is None:
        return None
    try:
        return convert(text, item.type)
    except ValueError:
        found.invalid[layout.path_of(item)] += 1
        return None


def _raw(element: etree._Element, item: Field) -> str | None:
    path, at, attribute = item.path.rpartition("@")
    path = path.rstrip("/") if at else item.path
    if path:
        found = list(element.iterchildren(path))
        filled = [e for e in found if (e.text or "") != "" or len(e)]
        if len(filled) > 1:
            raise Unreadable(f"<{path}> occurs more than once in <{element.tag}>")
        if not found:
            return None
        element = (filled or found)[0]
    if at:
        value: str | None = element.get(attribute)
        return value
    return _own_text(element)


def _own_text(element: etree._Element) -> str:
    """The text of an element, without the text of its children."""
    parts = [element.text or ""]
    for below in element:
        if isinstance(below, etree._Entity):
            raise Unreadable(f"the entity {below.text} is not defined")
        parts.append(below.tail or "")
    return "".join(parts)
