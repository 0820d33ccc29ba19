"""The entities and months of the dumps, which every other module uses."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import Enum

from discogs.errors import InvalidMonth


class Entity(str, Enum):
    """A kind of record, with a file of its own in each dump.

    The order is that of the merges and follows the foreign keys: releases refer to masters, artists
    and labels.
    """

    LABELS = "labels"
    ARTISTS = "artists"
    MASTERS = "masters"
    RELEASES = "releases"

    def __str__(self) -> str:
        return self.value

    @property
    def record(self) -> str:
        """The name of a record's element, such as ``release``."""
        return self.value[:-1]


#: In the order in which they are merged.
ENTITIES = tuple(Entity)


@dataclass(frozen=True, order=True)
class Month:
    """The month of a dump, written ``YYYY-MM``."""

    year: int
    month: int

    def __post_init__(self) -> None:
        # Discogs' first dumps are from 2008.
        if not (2000 <= self.year <= 2999 and 1 <= self.month <= 12):
            raise InvalidMonth(f"{self.year:04d}-{self.month:02d}")

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read ``YYYY-MM``.

        :raises InvalidMonth: when the text is anything else.
        """
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text)
        if match is None:
            raise InvalidMonth(text)
        try:
            return cls(int(match[1]), int(match[2]))
        except InvalidMonth:
            raise InvalidMonth(text) from None

    @classmethod
    def of(cls, day: dt.date) -> Month:
        """The month of a day."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def is_ahead(self) -> bool:
        """Whether the month has not begun in any time zone."""
        first = dt.datetime(self.year, self.month, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))
        return dt.datetime.now(dt.timezone.utc) < first

    @property
    def first_day(self) -> dt.date:
        return dt.date(self.year, self.month, 1)

    def plus(self, months: int) -> Month:
        """The month that is ``months`` later, or earlier if negative."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)
