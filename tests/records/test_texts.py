"""Texts as in the dumps, odd ones included, and the values of the columns."""

from __future__ import annotations

from typing import Any

import pytest

from discogs.schema.entities import Entity
from tests.records.reading import column, release, root

TEXTS = {
    "no-break space": "\u00a0",
    "no-break spaces around": "\u00a0A\u00a0",
    "mojibake": "BjÃ¶rk â€“ DÃ©but ï¿½",
    "beyond the BMP": "𝄞 🎛️ e\u0301 \u200f\u05e9\u200e",
    "what COPY reads": "\\N\n\\.\nC:\\new \\x41 tab:\tend",
    "what arrays read": '{a,b} "quoted" NULL',
    "4,159 characters": "n" * 4159,
    "line breaks": "First\nSecond\n\n\tThird",
    "a byte order mark": "a\ufeffb",
    "a noncharacter": "a\ufdd1b\U0001fffe",
    "private use": "a\U00100007b",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_kept_unchanged(engine: Any, text: str) -> None:
    tables = release(f"<title>{text}</title><notes> {text}\n</notes>", engine)
    assert root(tables, Entity.RELEASES)["title"] == text
    assert root(tables, Entity.RELEASES)["notes"] == text


MARKUP = {
    "&lt;/release&gt;\n&lt;release id=&quot;1&quot;&gt;": '</release>\n<release id="1">',
    "&amp;amp;": "&amp;",
    "&#65;&#x42;": "AB",
    "]]&gt;": "]]>",
    "a ]]> b": "a ]]> b",
    "a<![CDATA[ <b> & ]]>c": "a <b> & c",
    "a<!-- b -->c": "ac",
    "a<?b c?>d": "ad",
    "a<b>c</b>d": "ad",
    "a\r\nb\rc&#13;\nd": "a\nb\nc\r\nd",
}


@pytest.mark.parametrize(("xml", "text"), MARKUP.items(), ids=range(len(MARKUP)))
def test_markup_in_a_text_is_read_as_xml_says(engine: Any, xml: str, text: str) -> None:
    assert root(release(f"<notes>{xml}</notes>", engine), Entity.RELEASES)["notes"] == text


ATTRIBUTES = {
    "&quot;It&apos;s&quot; &lt;3 &amp; &gt;": '"It\'s" <3 & >',
    "a>b": "a>b",
    "a<b": "a<b",
    "a\nb\tc": "a b c",
    "a&#10;b&#9;c": "a\nb\tc",
    " a ": "a",
}


@pytest.mark.parametrize(("xml", "text"), ATTRIBUTES.items(), ids=range(len(ATTRIBUTES)))
def test_markup_in_an_attribute_is_read_as_xml_says(engine: Any, xml: str, text: str) -> None:
    tables = release(f'<labels><label name="{xml}"/></labels>', engine)
    assert column(tables, "release_labels", "name") == [text]


FORBIDDEN = {
    "raw bell": ("a\x07b", "a\x07b"),
    "bell by reference": ("a&#x7;b", "a\x07b"),
    "every raw control": (
        "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32)])) + "x",
        "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32)])) + "x",
    ),
    "decimal reference": ("a&#27;[b", "a\x1b[b"),
    "U+FFFE raw and by reference": ("a\ufffe&#xFFFF;b", "a\ufffe\uffffb"),
    "NUL": ("a\0b", "a\ufffdb"),
    "NUL by reference": ("a&#0;&#x0;b", "a\ufffd\ufffdb"),
    "half of a surrogate pair": ("a&#xD83D;b", "a\ufffdb"),
    "beyond Unicode": ("a&#x110000;b", "a\ufffdb"),
    "beside private use": ("\x07\U00100007&#x100040;", "\x07\U00100007\U00100040"),
}


@pytest.mark.parametrize(("xml", "text"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_characters_that_xml_forbids_are_kept(engine: Any, xml: str, text: str) -> None:
    """Except NUL, which PostgreSQL cannot store, and references to no character."""
    tables = release(
        f'<title>A{xml}B</title><labels><label name="A{xml}B"/></labels>'
        f"<formats><format><descriptions><description>A{xml}B</description></descriptions>"
        "</format></formats>",
        engine,
    )
    assert root(tables, Entity.RELEASES)["title"] == f"A{text}B"
    assert column(tables, "release_labels", "name") == [f"A{text}B"]
    assert column(tables, "release_formats", "descriptions") == [[f"A{text}B"]]
