"""Parsing a server's listing, and choosing the files of a month's dump.

The files of one day belong together. A day is complete when its CHECKSUM.txt and all required files
are listed, in any order; of several complete days of a month, the newest is chosen. If no day is
complete, since the dump was published on several days (as 20191003 and 20191010), the newest file
of each entity is chosen that has a CHECKSUM.txt of its own day or a later one. The date of the dump
is then the newest of these days.
"""

from __future__ import annotations

import datetime as dt
import html.parser
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from discogs.dumps.errors import BrowserCheck, DumpIncomplete, DumpNotPublished, ListingUnreadable
from discogs.dumps.names import DumpName, Layout
from discogs.schema.entities import ENTITIES, Entity, Month

log = logging.getLogger(__name__)

MAX_BYTES = 8 * 1024 * 1024

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(B|KB|MB|GB|TB)\s*$", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
# How many bytes of a page are searched, and for which texts of browser checks.
_PAGE = 64 * 1024
_CHECKS = (b"checking your browser", b"just a moment", b"challenge-platform", b"cf-chl", b"captcha")
_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True)
class DumpFile:
    """A file of a dump on a server.

    :param size: in bytes, as listed; None if it is not listed.
    :param exact: whether the size is exact; data.discogs.com rounds sizes (``10.4 GB``).
    """

    name: str
    url: str
    size: int | None = None
    exact: bool = False

    @property
    def entity(self) -> Entity | None:
        """The entity of the file; None for a CHECKSUM.txt."""
        name = DumpName.parse(self.name)
        return None if name is None else name.entity


@dataclass(frozen=True)
class DumpSet:
    """The files of a month's dump, in the order of the entities."""

    month: Month
    dump_date: dt.date
    files: tuple[DumpFile, ...]
    checksums: tuple[DumpFile, ...]
    """The CHECKSUM.txt files; several for a dump that was published on several days."""

    def file(self, entity: Entity) -> DumpFile:
        """:raises KeyError: when the set lacks the entity."""
        return self.by_entity[entity]

    @property
    def by_entity(self) -> dict[Entity, DumpFile]:
        return {file.entity: file for file in self.files if file.entity is not None}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "month": str(self.month),
            "dump_date": self.dump_date.isoformat(),
            "files": [vars(file) for file in self.files],
            "checksums": [vars(file) for file in self.checksums],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DumpSet:
        """What ``as_dict`` wrote."""
        return cls(
            Month.parse(values["month"]),
            dt.date.fromisoformat(values["dump_date"]),
            tuple(DumpFile(**file) for file in values["files"]),
            tuple(DumpFile(**file) for file in values["checksums"]),
        )


@dataclass(frozen=True)
class Listed:
    """A dump file in a listing."""

    name: DumpName
    size: int | None = None
    exact: bool = False


@dataclass(frozen=True)
class Listing:
    """A page of a listing; ``token`` is that of the next page."""

    files: tuple[Listed, ...]
    token: str | None = None


def parse(layout: Layout, body: bytes, url: str) -> Listing:
    """Parse a listing; files that are not dump files are ignored.

    :param url: for messages.
    :raises ListingUnreadable: when it is not a listing of this layout.
    """
    if len(body) > MAX_BYTES:
        raise ListingUnreadable(url, f"it is longer than {MAX_BYTES} bytes")
    return _parse_html(body, url) if layout is Layout.DISCOGS else _parse_xml(body, url)


def _no_listing(body: bytes, url: str, detail: str) -> ListingUnreadable:
    text = body[:_PAGE].lower()
    return (
        BrowserCheck(url)
        if any(sign in text for sign in _CHECKS)
        else ListingUnreadable(url, detail)
    )


class _Rows(html.parser.HTMLParser):
    """Collects the links inside ``<pre>``, each with the text before it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = False
        self.rows: list[tuple[str, str]] = []
        self._inside = False
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self.found = self._inside = True
        elif tag == "a" and self._inside:
            self.rows.append((dict(attrs).get("href") or "", self._text))
            self._text = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._inside = False
        elif tag == "a":
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._text = (self._text + data)[-200:]


def _parse_html(body: bytes, url: str) -> Listing:
    rows = _Rows()
    rows.feed(body.decode("utf-8", "replace"))
    rows.close()
    if not rows.found:
        raise _no_listing(body, url, "it is a page without a list")
    files = []
    for link, text in rows.rows:
        try:
            key = dict(parse_qsl(urlsplit(link).query)).get("download")
        except ValueError:
            key = None
        name = DumpName.parse_key(key) if key is not None else None
        if name is None:
            log.debug("Ignored in the listing: %.100r", link)
            continue
        match = _SIZE.search(text)
        unit = match[2].upper() if match is not None else "B"
        size = None if match is None else int(float(match[1]) * _UNITS[unit])
        files.append(Listed(name, size, exact=size is not None and unit == "B"))
    return Listing(tuple(files))


def _parse_xml(body: bytes, url: str) -> Listing:
    from lxml import etree  # late: nothing heavy is imported when a DAG is parsed

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise _no_listing(body, url, "it is not XML") from None
    if root.tag not in (f"{_S3}ListBucketResult", "ListBucketResult"):
        raise _no_listing(body, url, f"it holds {str(root.tag)[:80]!r}")
    space = _S3 if root.tag.startswith(_S3) else ""
    files = []
    for item in root.iter(f"{space}Contents"):
        key, size = item.findtext(f"{space}Key") or "", item.findtext(f"{space}Size") or ""
        name = DumpName.parse_key(key)
        if name is None:
            log.debug("Ignored in the listing: %.100r", key)
            continue
        stated = re.fullmatch("[0-9]{1,15}", size)
        files.append(Listed(name, int(size) if stated else None, exact=stated is not None))
    more = root.findtext(f"{space}IsTruncated") == "true"
    token = root.findtext(f"{space}NextContinuationToken") if more else None
    return Listing(tuple(files), token)


def choose(
    month: Month,
    listed: Iterable[Listed],
    address: Callable[[DumpName], str],
    entities: Sequence[Entity] = ENTITIES,
) -> DumpSet:
    """Choose the files of a month's dump.

    :param address: returns the URL of a file.
    :param entities: the entities whose files are required.
    :raises DumpNotPublished: when no file of the month is listed.
    :raises DumpIncomplete: naming the missing files.
    """
    days: dict[dt.date, dict[Entity | None, Listed]] = {}
    for item in listed:
        if item.name.month == month:
            days.setdefault(item.name.day, {})[item.name.entity] = item
    if not days:
        raise DumpNotPublished(month, "the listing has none of its files")
    markers = sorted(day for day in days if None in days[day])
    covered = [day for day in days if markers and day <= markers[-1]]
    whole = [day for day in markers if {*entities} <= days[day].keys()]
    chosen: dict[Entity | None, Listed] = {}
    for day in whole[-1:] or sorted(covered, reverse=True):
        for entity, item in days[day].items():
            chosen.setdefault(entity, item)
    lacking = [entity for entity in entities if entity not in chosen]
    if lacking:
        raise DumpIncomplete(month, _lacking(days, lacking, bool(markers)))
    files = [chosen[entity].name for entity in entities]
    chosen_days = sorted({name.day for name in files})
    if len(chosen_days) > 1:
        log.warning("The dump of %s is split over %s", month, ", ".join(map(str, chosen_days)))

    def located(item: Listed) -> DumpFile:
        return DumpFile(str(item.name), address(item.name), item.size, item.exact)

    return DumpSet(
        month,
        chosen_days[-1],
        tuple(located(chosen[entity]) for entity in sorted(entities, key=ENTITIES.index)),
        tuple(located(days[day][None]) for day in _markers(chosen_days, markers)),
    )


def _markers(days: Iterable[dt.date], markers: Sequence[dt.date]) -> list[dt.date]:
    """The days of the CHECKSUM.txt for files of some days: the same day, or else the next one."""
    return sorted({next(marker for marker in markers if marker >= day) for day in days})


def _lacking(
    days: Mapping[dt.date, Mapping[Entity | None, Listed]],
    entities: Sequence[Entity],
    marked: bool,
) -> list[str]:
    """The names of the missing files: of each entity its own file, or the CHECKSUM.txt for it.

    :param entities: the entities for which no file can be chosen.
    :param marked: whether any CHECKSUM.txt is listed.
    """
    newest = max(days)
    names = {}
    for entity in entities:
        found = max((day for day in days if entity in days[day]), default=None)
        names[DumpName(newest, entity) if found is None else DumpName(found, None)] = True
    if not marked:
        names[DumpName(newest, None)] = True
    files = [str(name) for name in names if name.entity is not None]
    return files + [str(name) for name in names if name.entity is None]
