"""The two terms that every other module uses: which entity, and which month."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import Enum

from discogs.errors import InvalidMonth


class Entity(str, Enum):
    """One of the four files of a dump, in the order in which they are merged.

    The order follows the foreign keys: releases point to masters, artists and labels.
    """

    LABELS = "labels"
    ARTISTS = "artists"
    MASTERS = "masters"
    RELEASES = "releases"

    def __str__(self) -> str:
        return self.value

    @property
    def record(self) -> str:
        """The name of the element that holds one record, such as ``release``."""
        return self.value[:-1]


#: In the order in which they are merged.
ENTITIES = tuple(Entity)


@dataclass(frozen=True, order=True)
class Month:
    """A dump's month, written ``YYYY-MM``; months compare by time."""

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
        """Whether the month has begun in no time zone yet."""
        first = dt.datetime(self.year, self.month, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))
        return dt.datetime.now(dt.timezone.utc) < first

    @property
    def first_day(self) -> dt.date:
        return dt.date(self.year, self.month, 1)

    def plus(self, months: int) -> Month:
        """The month so many months later (earlier when negative)."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)
