"""Schema drift: elements, attributes and texts of a dump that the mapping does not read.

Neither parser visits what no row needs. Records are searched for other tags and attributes, and
those that have some are walked whole; so are a few others, since texts are not searched for.
"""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
from lxml import etree

from discogs.records.block import Block
from discogs.records.columns import SPACE
from discogs.records.record_xml import parse_record
from discogs.records.tag_pairs import Shape, TagPairs
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import Field, Rows

#: How many records of a file are walked whole, before it is one of each block.
FIRST_RECORDS = 32
#: So many bytes of a file are searched for tags and attributes that are not mapped, and a
#: sixteenth of every block after them: of what one record in a thousand has, hundreds are found.
SEARCHED_BYTES = 8 * 1024 * 1024
_SHARE = 16
#: How many records are walked that the search has found; of so many, the rest is not counted.
FOUND_RECORDS = 1_000


class SchemaDrift:
    """Counts what the mapping does not read of one entity's records.

    The counts are by path: ``release/title/@lang``, ``release/mood``, ``release/artists/text()``.
    One instance may be shared by threads.
    """

    def __init__(self, entity: Entity) -> None:
        mapping = MAPPINGS[entity]
        self._lock = threading.Lock()
        self._to_walk, self._to_search, self._to_find = FIRST_RECORDS, SEARCHED_BYTES, FOUND_RECORDS
        self._record = entity.record
        self._shape = Shape()
        for item in (Field("id", mapping.id_path), *mapping.fields):
            _add_field(self._shape, item)
        _add_rows(self._shape, mapping.rows)
        self.pairs = TagPairs(self._record, self._shape)

    def sample(self, block: Block) -> Counter[str]:
        """Count what is not mapped in the records of a block that are looked at."""
        with self._lock:
            walked = min(max(1, self._to_walk), len(block))
            self._to_walk -= walked
            everything, self._to_search = self._to_search > 0, self._to_search - len(block.data)
            left = self._to_find
        chosen = {*range(walked)}
        if left > 0:
            first, last = (0, len(block)) if everything else _part(block)
            start = int(block.starts[first])
            end = int(block.starts[last]) if last < len(block) else len(block.data)
            odd = self.pairs.odd(block.data[start:end], block.starts[first:last] - start) + first
            found = odd.tolist()[:left]
            with self._lock:
                self._to_find -= len(found)
            chosen.update(found)
        counts = Counter[str]()
        for index in sorted(chosen):
            counts += self.check(block.record(index))
        return counts

    def check(self, xml: bytes) -> Counter[str]:
        """Check one record; one that is not well-formed is left to the parsers to reject."""
        counts = Counter[str]()
        try:
            record = parse_record(xml).element
        except etree.XMLSyntaxError:
            return counts
        if record.tag == self._record:
            _count(record, self._shape, self._record, counts)
        return counts


def _part(block: Block) -> tuple[int, int]:
    """The bounds of a part of a block's records, which another block has elsewhere."""
    part = int(block.fingerprints[0]) % _SHARE
    bounds = np.linspace(0, len(block), _SHARE + 1).astype(np.int64)
    return int(bounds[part]), max(int(bounds[part + 1]), int(bounds[part]) + 1)


def _add_field(shape: Shape, item: Field) -> None:
    path, at, attribute = item.path.rpartition("@")
    element = shape.at(path if at else item.path)
    if at:
        element.attributes.add(attribute)
    else:
        element.text = True


def _count(element: etree._Element, mapped: Shape, path: str, counts: Counter[str]) -> None:
    for name in element.attrib:
        if name not in mapped.attributes:
            counts[f"{path}/@{name}"] += 1
    if not mapped.text and _has_text(element):
        counts[f"{path}/text()"] += 1
    for child in element:
        if not isinstance(child.tag, str):
            continue
        inner = mapped.children.get(child.tag)
        if inner is None:
            counts[f"{path}/{child.tag}"] += 1
        else:
            _count(child, inner, f"{path}/{child.tag}", counts)


def _has_text(element: etree._Element) -> bool:
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip(SPACE) for text in texts)


def _add_rows(mapped: Shape, rows: tuple[Rows, ...]) -> None:
    for row in rows:
        element = mapped.at(row.path)
        for item in row.fields:
            _add_field(element, item)
            if item.before:
                mapped.at(row.container).at(item.before).text = True
        _add_rows(element, row.rows)
        if row.nests:
            container, _, name = row.nests.rpartition("/")
            element.at(container).children[name] = element
