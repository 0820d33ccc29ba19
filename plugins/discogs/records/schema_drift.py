"""What a dump holds and the mapping does not: a new field must not vanish in silence.

Neither parser looks at what no row needs, so a sample of the records is walked whole: the
first ones of a file, where a change of the format shows, and one a block from there on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lxml import etree

from discogs.records.block import Block
from discogs.records.columns import SPACE
from discogs.records.lxml_parser import parse_record
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import Field, Rows

#: So many records of a file are looked into, before it is one a block.
FIRST_RECORDS = 128


@dataclass
class _Known:
    """What the mapping reads of one element."""

    children: dict[str, _Known] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    text: bool = False

    def at(self, path: str) -> _Known:
        known = self
        for name in filter(None, path.split("/")):
            known = known.children.setdefault(name, _Known())
        return known

    def add(self, item: Field) -> None:
        path, at, attribute = item.path.rpartition("@")
        known = self.at(path if at else item.path)
        if at:
            known.attributes.add(attribute)
        else:
            known.text = True


class SchemaDrift:
    """Counts the elements, attributes and texts of one entity's records that nobody reads."""

    def __init__(self, entity: Entity) -> None:
        mapping = MAPPINGS[entity]
        #: How often each was met, by its path: ``release/title/@lang``, ``release/mood``,
        #: ``release/artists/text()``.
        self.unmapped: Counter[str] = Counter()
        self._left = FIRST_RECORDS
        self._record = entity.record
        self._known = _Known()
        self._known.add(Field("id", mapping.id_path))
        for item in mapping.fields:
            self._known.add(item)
        _add_rows(self._known, mapping.rows)

    def sample(self, block: Block) -> None:
        """Look into some of a block's records."""
        number = max(1, min(self._left, len(block)))
        self._left -= number
        for index in range(min(number, len(block))):
            self.look(block.record(index))

    def look(self, xml: bytes) -> None:
        """Look into one record; one that is not well-formed is left to those who reject it."""
        try:
            record = parse_record(xml)
        except etree.XMLSyntaxError:
            return
        if record.tag == self._record:
            self._walk(record, self._known, self._record)

    def _walk(self, element: etree._Element, known: _Known, path: str) -> None:
        for name in element.attrib:
            if name not in known.attributes:
                self.unmapped[f"{path}/@{name}"] += 1
        if not known.text and _stray(element):
            self.unmapped[f"{path}/text()"] += 1
        for child in element:
            if not isinstance(child.tag, str):
                continue
            inner = known.children.get(child.tag)
            if inner is None:
                self.unmapped[f"{path}/{child.tag}"] += 1
            else:
                self._walk(child, inner, f"{path}/{child.tag}")


def _stray(element: etree._Element) -> bool:
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip(SPACE) for text in texts)


def _add_rows(known: _Known, rows: tuple[Rows, ...]) -> None:
    for row in rows:
        element = known.at(row.path)
        for item in row.fields:
            element.add(item)
            if item.before:
                known.at(row.container).at(item.before).text = True
        _add_rows(element, row.rows)
        if row.nests:
            container, _, name = row.nests.rpartition("/")
            element.at(container).children[name] = element
