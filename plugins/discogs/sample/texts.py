"""Titles, notes and other texts, drawn from the tables of words; escaped for XML."""

from __future__ import annotations

from discogs.sample import words
from discogs.sample.draws import Draw
from discogs.sample.shapes import Shape

# Line breaks inside a text: plain in three quarters of the texts, in the others with the reference
# to a carriage return that the site's editor leaves.
_BREAKS = ("\n", "\n", "\n", "&#13;\n")


def title(draw: Draw) -> str:
    kind = draw()
    one = words.TITLE_WORDS[kind >> 3 & 511]
    kind &= 7
    if kind == 0:
        return one
    more = draw()
    two = words.TITLE_WORDS[more & 511]
    if kind < 4:
        return f"{one} {two}"
    if kind == 4:
        return f"The {words.ADJECTIVES[more >> 9 & 63]} {two}"
    if kind == 5:
        return f"{one} Of The {two}"
    if kind == 6:
        return f"{one} {two} {words.MIXES[more >> 9 & 15]}"
    return f"{one} {words.ADJECTIVES[more >> 9 & 63]} {two} {words.TITLE_WORDS[draw() & 511]}"


def text(draw: Draw, most: int) -> str:
    """One to ``most`` sentences, a line each; ``most`` is a power of two."""
    kind = draw()
    count = 1 + (kind & most - 1)
    line = _BREAKS[kind >> 8 & 3]
    lines = []
    for _ in range(count):
        mix = draw()
        lines.append(words.OPENINGS[mix & 63] + words.CLOSINGS[mix >> 6 & 255])
    if kind >> 12 & 3 == 0 and count > 1:
        # An empty line after the first sentence, which makes it a paragraph.
        lines.insert(1, "")
    return line.join(lines)


def catno(draw: Draw) -> str:
    mix = draw()
    number = mix >> 5
    prefix = words.CATNO_PREFIXES[mix & 31]
    return f"{prefix} {number:03d}" if mix & 32 else f"{prefix}{number}"


def videos(draw: Draw, letters: str, shape: Shape, count: int, artist: str) -> str:
    """:param letters: letters for the codes of the videos."""
    rows = []
    for at in range(count):
        kind = draw()
        name = f"{artist} - {title(draw)}" if kind & 3 else title(draw)
        about = "" if kind >> 2 & 15 == 0 else text(draw, 8)
        at = at * 11 % 245
        rows.append(shape.video(letters[at : at + 11], kind >> 7, name, about))
    return f"<videos>{''.join(rows)}</videos>"


def urls(draw: Draw, letters: str, name: str) -> str:
    """One to four addresses."""
    kind = draw()
    slug = name.replace("&amp; ", "").replace(" ", "")
    at = kind >> 8 & 127
    rows = [f"<url>http://www.{letters[at : at + 7].lower()}.com</url>"]
    for _ in range(kind & 3):
        rows.append(f"<url>https://{words.URL_HOSTS[draw() & 15]}{slug}</url>")
    return f"<urls>{''.join(rows)}</urls>"


def style_rows(genre: int, start: int, count: int) -> str:
    """Up to three successive styles of a genre's list, so that none occurs twice."""
    styles = words.STYLES_OF[genre]
    start %= 126
    return "".join(f"<style>{style}</style>" for style in styles[start : start + count])
