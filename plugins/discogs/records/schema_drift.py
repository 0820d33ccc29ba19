"""Schema drift: elements, attributes and texts of a dump that the mapping does not read.

LxmlParser counts them with this module; the kernel counts them itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lxml import etree

from discogs.records.columns import SPACE
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import Field, Rows


@dataclass
class _Mapped:
    """What the mapping reads of one element."""

    children: dict[str, _Mapped] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    text: bool = False

    def at(self, path: str) -> _Mapped:
        mapped = self
        for name in filter(None, path.split("/")):
            mapped = mapped.children.setdefault(name, _Mapped())
        return mapped

    def add(self, item: Field) -> None:
        path, at, attribute = item.path.rpartition("@")
        element = self.at(path if at else item.path)
        if at:
            element.attributes.add(attribute)
        else:
            element.text = True


class SchemaDrift:
    """Counts what the mapping does not read in one entity's records, by path: for example
    ``release/title/@lang``, ``release/mood`` or ``release/artists/text()``.
    """

    def __init__(self, entity: Entity) -> None:
        mapping = MAPPINGS[entity]
        self._record = entity.record
        self._mapped = _Mapped()
        self._mapped.add(Field("id", mapping.id_path))
        for item in mapping.fields:
            self._mapped.add(item)
        _add_rows(self._mapped, mapping.rows)

    def count(self, record: etree._Element, counts: Counter[str]) -> None:
        """Add the counts of a record."""
        _count(record, self._mapped, self._record, counts)


def _count(element: etree._Element, mapped: _Mapped, path: str, counts: Counter[str]) -> None:
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


def _add_rows(mapped: _Mapped, rows: tuple[Rows, ...]) -> None:
    for row in rows:
        element = mapped.at(row.path)
        for item in row.fields:
            element.add(item)
            if item.before:
                mapped.at(row.container).at(item.before).text = True
        _add_rows(element, row.rows)
        if row.nests:
            container, _, name = row.nests.rpartition("/")
            element.at(container).children[name] = element
