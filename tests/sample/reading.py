"""Reads dump files without the package: with gzip and lxml only."""

from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path

from lxml import etree

ENTITIES = ("labels", "artists", "masters", "releases")

# What XML 1.0 forbids, written out here apart from the generator's own expression.
_FORBIDDEN = re.compile(rb"&#x7;|&#x1B;|\x07")


def raw(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


@cache
def tree(path: Path) -> etree._Element:
    """The file without its forbidden characters, parsed."""
    return etree.fromstring(_FORBIDDEN.sub(b"", raw(path)), etree.XMLParser(huge_tree=True))


def record_id(record: etree._Element) -> int:
    return int(record.get("id") or record.findtext("id"))


@cache
def records(path: Path) -> dict[int, bytes]:
    """The bytes of every record by its id; records are recognised by the starts of their lines."""
    entity = path.name.split("_")[2].split(".")[0]
    start, end = f"<{entity}>\n".encode(), f"</{entity}>\n".encode()
    data = raw(path)
    assert data.startswith(start)
    assert data.endswith(end)
    tag = f"<{entity[:-1]}".encode()
    lines = re.split(rb"\n(?=" + tag + rb"[ >])", data[len(start) : -len(end) - 1])
    ids = [record_id(record) for record in tree(path)]
    assert len(ids) == len(lines) == len(set(ids))
    return dict(zip(ids, lines, strict=True))


def dump(folder: Path, stamp: str, entity: str) -> Path:
    return folder / f"discogs_{stamp}_{entity}.xml.gz"
