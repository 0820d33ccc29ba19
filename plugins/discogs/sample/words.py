"""Tables of words, from ``words.txt``.

The number of entries is a power of two, so that a draw is a mask and a look-up. An entry that
occurs several times in a table is drawn proportionally more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MOST_TRACKS = 60


def _sections() -> dict[str, str]:
    text = Path(__file__).with_name("words.txt").read_text(encoding="utf-8")
    parted = (section.partition("\n") for section in text.split("\n= ")[1:])
    return {name: words for name, _, words in parted}


_TEXTS = _sections()


def _table(entries: Sequence[T], size: int) -> tuple[T, ...]:
    """A table of ``size`` entries, repeated if there are fewer."""
    return tuple(islice(cycle(entries), size))


def _phrases(name: str) -> list[str]:
    return _TEXTS[name].replace("\n", "").split("|")


def _weighted(weights: Sequence[tuple[T, int]], size: int = 1024) -> tuple[T, ...]:
    """A table in which each entry's share follows its weight; every entry is in it."""
    total = sum(weight for _, weight in weights)
    rows = [entry for entry, weight in weights for _ in range(max(1, weight * size // total))]
    return tuple((rows + [weights[0][0]] * size)[:size])


def _split(phrases: Sequence[str]) -> list[tuple[str, int]]:
    """Phrases that end in a number, divided into phrase and number."""
    parted = (phrase.rpartition(" ") for phrase in phrases)
    return [(phrase, int(number)) for phrase, _, number in parted]


def _by_share(name: str, size: int = 1024) -> tuple[str, ...]:
    return _weighted(_split(_phrases(name)), size)


def _sides(tracks: int) -> tuple[str, ...]:
    """Positions on vinyl or tape: A1, A2, … B1, …"""
    half = (tracks + 1) // 2
    if tracks <= 2:
        return ("A", "B")[:tracks]
    return tuple(
        f"A{number + 1}" if number < half else f"B{number - half + 1}" for number in range(tracks)
    )


FIRST_NAMES = _table(_TEXTS["first names"].split(), 512)
LAST_NAMES = _table(
    [
        start + end
        for end in _TEXTS["last name ends"].split()
        for start in _TEXTS["last name starts"].split()
    ],
    1024,
)
ADJECTIVES = _table(_TEXTS["adjectives"].split(), 64)
NOUNS = _table(_TEXTS["nouns"].split(), 128)
TITLE_WORDS = _table(_TEXTS["title words"].split(), 512)
MIXES = _table(_phrases("mixes"), 16)
LABEL_TAILS = _table(_TEXTS["label tails"].split(), 16)
CATNO_PREFIXES = _table(_TEXTS["catno prefixes"].split(), 32)
PLACES = _table(_phrases("places"), 64)
URL_HOSTS = _table(_TEXTS["url hosts"].split(), 16)

# A sentence is an opening and a closing.
OPENINGS = _table(_phrases("openings"), 64)
_PEOPLE = zip(FIRST_NAMES[:44], LAST_NAMES[40:84], strict=True)
_LABELS = zip(NOUNS[:48], LABEL_TAILS * 3, strict=True)
CLOSINGS = (
    *(f", {place}." for place in PLACES),
    *(f" in {year}." for year in range(1962, 2026)),
    *(f", see [a={first} {last}]." for first, last in _PEOPLE),
    *(f" for [l={word} {tail}]." for word, tail in _LABELS),
    *(f' ("{word}").' for word in TITLE_WORDS[60:96]),
)

_GENRES = _split([name.removeprefix("genre ") for name in _TEXTS if name.startswith("genre ")])
GENRE_NAMES = [name for name, _ in _GENRES]
GENRE_DRAW = _weighted([(number, share) for number, (_, share) in enumerate(_GENRES)])
STYLES_OF = [_table(_phrases(f"genre {name} {share}"), 128) for name, share in _GENRES]

ROLES = _table(_phrases("roles"), 64)
JOINS = _table(_phrases("joins"), 8)
IDENTIFIERS = [
    (kind, about) for kind, _, about in (i.partition(": ") for i in _phrases("identifiers"))
]
COMPANY_ROLES = [(number, role) for role, number in _split(_phrases("company roles"))]
COUNTRIES = _by_share("countries")
FORMAT_TEXTS = _by_share("format texts")
DATA_QUALITIES = _by_share("data qualities", 256)
# A format's name and its descriptions.
FORMATS = [(name, more) for name, *more in (row.split(", ") for row in _by_share("formats"))]
# Singles, EPs, albums, compilations; 8.3 tracks on average.
TRACK_COUNTS = [int(count) for count in _by_share("track counts")]
NUMBERED = tuple(str(number) for number in range(1, MOST_TRACKS + 1))
SIDED = tuple(_sides(tracks) for tracks in range(MOST_TRACKS + 1))
