"""Records made at random from the mapping, and the rows that they must give.

The rows are not computed by any parser: they are what was put in.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any
from xml.sax.saxutils import escape

from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import Field, Rows
from discogs.schema.tables import Type
from discogs.schema.values import name_id
from tests.records.reading import Row

SPACE = " \t\r\n"
_LETTERS = "abcXYZ 0123456789.,-:;/\\'\"&<>{}[]()\n\t\r\u00a0éÃ𝄞٣\u2028\ufeff\u0301"
_CONTROLS = "\x07\x1b\x01\x1f\ufffe\U00100001\ufdd5"
_KNOWN_TEXTS = [
    "4:45",
    "1999-03-00",
    "1999-12-31",
    "0002",
    "]]>",
    "</release>",
    "\\N",
    "NULL",
    "{a,b}",
    "0",
]


@dataclass
class _Element:
    """One element while it is made: its attributes, its text, and the elements in it."""

    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    single: dict[str, _Element] = field(default_factory=lambda: defaultdict(_Element))
    lists: dict[str, list[tuple[str, _Element]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def is_empty(self) -> bool:
        """Whether it has no content, and so becomes no row."""
        return not (self.attributes or self.text.strip(SPACE) or self.single or self.lists)


class Maker:
    """Makes records; ``odd`` ones hold characters that XML forbids."""

    def __init__(self, seed: int, *, odd: bool = False) -> None:
        self.random = Random(seed)
        self.letters = _LETTERS + (_CONTROLS if odd else "")

    def record(self, entity: Entity, record_id: int) -> tuple[str, dict[str, list[Row]]]:
        """A record as XML, and its rows by table."""
        mapping = MAPPINGS[entity]
        tables: dict[str, list[Row]] = defaultdict(list)
        element = _Element()
        self._put(element, mapping.id_path, str(record_id))
        row: Row = {"id": record_id}
        for each in mapping.fields:
            row.update(self._field(element, each))
        tables[str(entity)].append(row)
        self._rows(element, mapping.rows, {mapping.parent_column: record_id}, tables)
        return self._xml(entity.record, element), dict(tables)

    def _rows(
        self,
        element: _Element,
        all_rows: tuple[Rows, ...],
        key: Row,
        tables: dict[str, list[Row]],
        most: int = 3,
    ) -> None:
        for rows in all_rows:
            seq = [0]
            for _ in range(self.random.choice([0, 0, 1, most])):
                self._row(element, rows.path, rows, key, None, seq, tables, 0)

    def _row(
        self,
        holder: _Element,
        path: str,
        rows: Rows,
        key: Row,
        parent: int | None,
        seq: list[int],
        tables: dict[str, list[Row]],
        depth: int,
    ) -> None:
        container, _, name = path.partition("/")
        element = _Element()
        holder.lists[container].append((name, element))
        seq[0] += 1
        own = seq[0]
        row = {**key, "seq": own}
        if rows.nests:
            row["parent_seq"] = parent
        for each in rows.fields:
            row.update(self._field(element, each))
        if element.is_empty:
            seq[0] -= 1
            return
        tables[rows.table].append(row)
        self._rows(element, rows.rows, {**key, rows.ordinal: own}, tables, 2)
        if rows.nests and depth < 2:
            for _ in range(self.random.choice([0, 0, 2 - depth])):
                self._row(element, rows.nests, rows, key, own, seq, tables, depth + 1)

    def _field(self, element: _Element, item: Field) -> Row:
        if item.type is Type.TEXT_ARRAY:
            texts = [self._text() for _ in range(self.random.choice([0, 1, 3]))]
            container, _, name = item.path.partition("/")
            for text in texts:
                element.lists[container].append((name, _Element(text=text)))
            return {item.column: [t.strip(SPACE) for t in texts if t.strip(SPACE)] or None}
        text, value = self._value(item)
        if text is not None:
            self._put(element, item.path, text)
        row = {item.column: name_id(value) if item.by_name and value is not None else value}
        if item.derived:
            empty = [None] * len(item.derived.columns)
            parsed = item.derived.parse(value) if value is not None else empty
            row.update(zip([c.name for c in item.derived.columns], parsed, strict=True))
        return row

    def _value(self, item: Field) -> tuple[str | None, Any]:
        """A value in the dump (None for no value), and the value that the table must have."""
        if self.random.random() < 0.15:
            return self.random.choice([None, "", " \n"]), None
        if item.type is Type.BOOLEAN:
            flag = self.random.random() < 0.5
            return ("true" if flag else "false"), flag
        if item.type in (Type.INTEGER, Type.SMALLINT):
            most = 2**15 - 1 if item.type is Type.SMALLINT else 2**31 - 1
            number = self.random.choice([0, 1, most, self.random.randrange(most)])
            text = self.random.choice(["", " ", "\n"]) + str(number)
            zero_is_null = bool(item.references) or item.zero_is_null
            return text, (None if zero_is_null and number == 0 else number)
        text = self._text()
        return text, text.strip(SPACE) or None

    def _text(self) -> str:
        if self.random.random() < 0.3:
            return self.random.choice(_KNOWN_TEXTS)
        return "".join(self.random.choices(self.letters, k=self.random.randrange(12)))

    def _put(self, element: _Element, path: str, text: str) -> None:
        path, at, attribute = path.rpartition("@") if "@" in path else (path, "", "")
        path = path.rstrip("/")
        target = element.single[path] if path else element
        if at:
            target.attributes[attribute] = text
        else:
            target.text = text

    def _xml(self, name: str, element: _Element) -> str:
        """The element as XML, with attributes and children in random order, and random line
        breaks."""
        start = name
        for attribute, text in self._mixed(list(element.attributes.items())):
            quoted = escape(text, {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})
            start += f' {attribute}="{quoted}"'
        inner = [self._xml(child, made) for child, made in element.single.items()]
        for container, children in element.lists.items():
            inner.append(
                f"<{container}>{self._gap().join(self._xml(*child) for child in children)}"
                f"</{container}>"
            )
        text = escape(element.text, {"\r": "&#13;"})
        if not inner and not text and self.random.random() < 0.5 and name not in _RECORDS:
            return f"<{start}/>"
        gap = self._gap() if not element.text else ""
        return f"<{start}>{text}{gap.join(self._mixed(inner))}</{name}>"

    def _mixed(self, items: list[Any]) -> list[Any]:
        if self.random.random() < 0.5:
            self.random.shuffle(items)
        return items

    def _gap(self) -> str:
        return self.random.choice(["", "", "\n", "\r\n  "])


#: Written with an end tag always, since records are.
_RECORDS = {entity.record for entity in Entity}
