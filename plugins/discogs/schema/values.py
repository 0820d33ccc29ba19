"""Values computed from the dump's texts: dates, durations, and the ids of names."""

from __future__ import annotations

import calendar
import re
import unicodedata
from functools import lru_cache

import xxhash

#: To be increased when the same bytes of a record give other rows, after a change in this module or
#: a parser that does not show in the mapping. The next month then reads every record once.
VALUES_VERSION = 2

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?|([0-9]{4})([0-9]{2})([0-9]{2})")
# Most dates and durations of a block occurred in earlier blocks.
_CACHE_SIZE = 65_536
_DURATION = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2})")


def _ascii_digits(text: str) -> str:
    """Replace all Unicode decimal digits, of which Arabic-Indic ones occur, by ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


@lru_cache(maxsize=_CACHE_SIZE)
def parse_released(text: str) -> tuple[int | None, int | None, int | None]:
    """Year, month and day of a release date, None for parts that the text does not have.

    ``1999-03-00`` has no day, ``1999`` neither month nor day, ``1980s`` and ``200?`` no part at
    all. A day that its month does not have becomes None.
    """
    match = _DATE.fullmatch(_ascii_digits(text))
    if match is None:
        return None, None, None
    year = int(match[1] or match[4])
    month = int(match[2] or match[5] or 0)
    day = int(match[3] or match[6] or 0)
    if year == 0:
        return None, None, None
    if not 1 <= month <= 12:
        return year, None, None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return year, month, None
    return year, month, day


@lru_cache(maxsize=_CACHE_SIZE)
def parse_duration(text: str) -> tuple[int | None]:
    """The seconds of a duration such as ``4:45``, ``1:00:00`` or ``3:5``; None for other texts."""
    match = _DURATION.fullmatch(_ascii_digits(text))
    if match is None:
        return (None,)
    return (int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3]),)


def name_id(name: str) -> int:
    """The id of a genre or style, computed from its name: the same in every database and month.

    53 bits, which languages with only floating-point numbers represent exactly. For a thousand
    names, the probability of a collision is below 1e-10.
    """
    return xxhash.xxh3_64_intdigest(name.encode()) >> 11
