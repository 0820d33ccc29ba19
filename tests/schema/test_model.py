from __future__ import annotations

from dataclasses import replace

from discogs.schema.entities import Entity
from discogs.schema.mapping import ARTISTS, MAPPINGS
from discogs.schema.model import Field, Rows


def test_only_labels_have_elements_named_like_the_record() -> None:
    assert [entity for entity in Entity if MAPPINGS[entity].record_nests] == [Entity.LABELS]


def test_an_element_named_like_the_record_is_found_wherever_it_is_declared() -> None:
    deep = Rows("b", "b/c", (), rows=(Rows("d", "d/artist", ()),))
    for changed in (
        replace(ARTISTS, fields=(Field("a", "artist/@id"),)),
        replace(ARTISTS, rows=(Rows("b", "artist/b", ()),)),
        replace(ARTISTS, rows=(Rows("b", "b/c", (Field("a", "artist"),)),)),
        replace(ARTISTS, rows=(Rows("b", "b/c", (), nests="c/artist"),)),
        replace(ARTISTS, rows=(deep,)),
    ):
        assert changed.record_nests
    assert not replace(ARTISTS, rows=(Rows("b", "artists/artistic", ()),)).record_nests
