"""Values computed from the dump's texts: dates, durations, and the ids of names."""

from __future__ import annotations

import calendar
import re
import unicodedata
from functools import lru_cache

import xxhash

#: Raise it when the same bytes of a record give other rows: after a change in this module or in
#: a parser that is not visible in the mapping. The next month then reads every record once.
VALUES_VERSION = 2

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?|([0-9]{4})([0-9]{2})([0-9]{2})")
# Each block repeats most of the last one's dates and durations.
_REMEMBERED = 65_536
_DURATION = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2})")


def _ascii_digits(text: str) -> str:
    """The text with every decimal digit of Unicode (Arabic-Indic ones occur) as ASCII."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


@lru_cache(maxsize=_REMEMBERED)
def parse_released(text: str) -> tuple[int | None, int | None, int | None]:
    """Year, month and day of a release date, each where the text has it.

    ``1999-03-00`` has no day, ``1999`` neither month nor day; ``1980s`` and ``200?`` have
    none. A day that its month does not have is dropped, the month kept.
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


@lru_cache(maxsize=_REMEMBERED)
def parse_duration(text: str) -> tuple[int | None]:
    """Seconds of a track's duration such as ``4:45``, ``1:00:00`` or ``3:5``, else None."""
    match = _DURATION.fullmatch(_ascii_digits(text))
    if match is None:
        return (None,)
    return (int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3]),)


def name_id(name: str) -> int:
    """The id of a genre's or style's name: the same in every database and month.

    53 bits, so that languages with only floating-point numbers read it exactly; with a
    thousand names the odds of two sharing an id are below one in ten thousand million.
    """
    return xxhash.xxh3_64_intdigest(name.encode()) >> 11
