"""The names of dump files, and their addresses in the two layouts of servers."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, urlsplit

from discogs.dumps.errors import AddressInvalid
from discogs.schema.entities import Entity, Month

_NAME = re.compile(
    r"discogs_([0-9]{4})([0-9]{2})([0-9]{2})_"
    rf"(?:({'|'.join(map(str, Entity))})\.xml\.gz|CHECKSUM\.txt)"
)


@dataclass(frozen=True)
class DumpName:
    """The name of a dump file; ``entity`` is None for a CHECKSUM.txt.

    Names from a server or a CHECKSUM.txt are used only after they were parsed to such a value, so
    that no path comes from the network.
    """

    day: dt.date
    entity: Entity | None

    @classmethod
    def parse(cls, text: str) -> DumpName | None:
        """Parse a file name without a folder; None when it is not a dump file's name."""
        match = _NAME.fullmatch(text)
        if match is None:
            return None
        try:
            day = dt.date(int(match[1]), int(match[2]), int(match[3]))
            Month.of(day)
        except ValueError:  # InvalidMonth is one too
            return None
        return cls(day, Entity(match[4]) if match[4] else None)

    @classmethod
    def parse_key(cls, text: str) -> DumpName | None:
        """Parse a key such as ``data/2026/discogs_20260701_labels.xml.gz``; None for others."""
        folder, _, text = text.rpartition("/")
        name = cls.parse(text)
        return name if name is not None and folder == f"data/{name.day.year}" else None

    def __str__(self) -> str:
        rest = "CHECKSUM.txt" if self.entity is None else f"{self.entity}.xml.gz"
        return f"discogs_{self.day:%Y%m%d}_{rest}"

    @property
    def month(self) -> Month:
        return Month.of(self.day)

    @property
    def key(self) -> str:
        """The file's key on a server, such as ``data/2026/discogs_20260701_….xml.gz``."""
        return f"data/{self.day.year}/{self}"


class Layout(str, Enum):
    """How a server addresses its files."""

    DISCOGS = "data.discogs.com"
    S3 = "s3"

    def __str__(self) -> str:
        return self.value

    def listing_url(self, base: str, month: Month, token: str | None = None) -> str:
        """The address of the listing that has a month's files; with a token, of its next page.

        data.discogs.com lists whole years, a bucket the keys with a prefix.
        """
        if self is Layout.DISCOGS:
            return f"{base}/?prefix={quote(f'data/{month.year}/', safe='')}"
        prefix = f"data/{month.year}/discogs_{month.year}{month.month:02d}"
        url = f"{base}/?list-type=2&prefix={quote(prefix, safe='')}"
        return url if token is None else f"{url}&continuation-token={quote(token, safe='')}"

    def file_url(self, base: str, name: DumpName) -> str:
        """The address of a file."""
        if self is Layout.DISCOGS:
            return f"{base}/?download={quote(name.key, safe='')}"
        return f"{base}/{name.key}"


def checked_base(text: str) -> str:
    """The base address of a server, without a slash at its end.

    :raises AddressInvalid: when it is not an HTTP address, or has a login, which would be written
        to logs and tables.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise AddressInvalid(text.rpartition("@")[2], "it cannot be read") from None
    shown = text.rpartition("@")[2]
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressInvalid(shown, "it does not start with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise AddressInvalid(shown, "it has a login, which belongs in the connection's fields")
    if parts.query or parts.fragment:
        raise AddressInvalid(shown, "it has a query (?) or a fragment (#)")
    return text.rstrip("/")
