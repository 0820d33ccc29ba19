"""Records for tests of the splitter, and what it makes of a dump."""

from __future__ import annotations

from discogs.schema.entities import Entity
from tests.records.reading import split_records

LABELS, ARTISTS, MASTERS, RELEASES = Entity
SIZES = [1, 7, 64, 1 << 20]


def record_bytes(
    entity: Entity, data: bytes, size: int = 1 << 23, limit: int = 1 << 24
) -> list[bytes]:
    return [xml for _, xml in split_records(entity, data, size, limit)[0]]


ONE, TWO = '<release id="1"><title>A</title></release>', '<release id="2"/>x</release>'
BOTH = [ONE.encode(), TWO.encode()]


NESTED = (
    '<label><id>1</id><sublabels><label id="2">B</label><label id="3">C</label></sublabels></label>'
)
ODD_NESTED = (
    '<label a="x>y"><id>4</id><sublabels>\n<label id="5">E</label>\n<label id="6"/>\n'
    "<label\nid='7'>>F</label ></sublabels></label>"
)
