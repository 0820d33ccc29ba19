"""From a hand-written dump to rows, with each parser alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from discogs.records.block import Block, ParsedBlock, Rejected
from discogs.records.kernel_parser import KernelParser
from discogs.records.lxml_parser import LxmlParser
from discogs.records.parser import Parser
from discogs.records.scanner import Scanned, Scanner
from discogs.records.splitter import Chunk, split
from discogs.schema.entities import Entity

Row = dict[str, Any]

LIMIT = 16 * 1024 * 1024
KERNEL = {entity: KernelParser(entity) for entity in Entity}
LXML = {entity: LxmlParser(entity) for entity in Entity}
PARSERS = {entity: Parser(entity) for entity in Entity}


def dump(entity: Entity, *records: str | bytes, sep: bytes = b"\n") -> bytes:
    """A dump of some records."""
    root = str(entity).encode()
    encoded = [r.encode() if isinstance(r, str) else r for r in records]
    return sep.join([b"<" + root + b">", *encoded, b"</" + root + b">"]) + sep


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def chunks(entity: Entity, data: bytes, size: int = 1 << 23, limit: int = LIMIT) -> list[Chunk]:
    """The chunks of a file that is read some bytes at a time."""
    return list(split(in_pieces(data, size), entity, "dump.xml.gz", limit))


def split_records(
    entity: Entity, data: bytes, size: int = 1 << 23, limit: int = LIMIT
) -> tuple[list[tuple[int, bytes]], list[Rejected]]:
    """The records that the splitter finds, each with its offset, and what was rejected."""
    found, rejected = [], []
    for each in chunks(entity, data, size, limit):
        found += [
            (each.offset + start, each.data[start:end])
            for start, end in zip(each.starts, each.ends, strict=True)
        ]
        rejected += each.rejected
    return found, rejected


def blocks(
    entity: Entity, data: bytes, *, block_bytes: int = 1 << 22, shard: int = 0, shards: int = 1
) -> tuple[list[Block], list[Rejected]]:
    """Every record of a file in blocks, and what was rejected before any was parsed."""
    made: list[Block] = []
    rejected: list[Rejected] = []
    for each in scan(entity, data, shard, shards):
        rejected += each.rejected
        made += each.blocks(np.ones(len(each.ids), np.bool_), block_bytes)
    return made, rejected


def scan(entity: Entity, data: bytes, shard: int = 0, shards: int = 1) -> list[Scanned]:
    scanner = Scanner(entity, shard, shards)
    return [scanner.scan(chunk) for chunk in chunks(entity, data)]


def rows(parsed: ParsedBlock) -> dict[str, list[Row]]:
    """The rows by table, without fingerprints, in the order of their keys."""
    tables = {}
    for name, batch in parsed.tables.items():
        found = batch.to_pylist()
        for row in found:
            row.pop("fingerprint", None)
        if found:
            tables[name] = sorted(found, key=lambda row: [v or 0 for v in list(row.values())[:3]])
    return tables


def read(entity: Entity, *written: str | bytes, engine: Any = None) -> dict[str, list[Row]]:
    """The rows of records, none of which may be rejected."""
    (block,), rejected = blocks(entity, dump(entity, *written))
    assert rejected == []
    parsed = (engine or PARSERS)[entity].parse(block)
    assert parsed.rejected == []
    return rows(parsed)


def summary(rejected: list[Rejected]) -> list[tuple[int, int | None, str]]:
    return [(r.offset, r.record_id, r.reason) for r in rejected]


def release(inner: str, engine: Any, attributes: str = "") -> dict[str, list[Row]]:
    return read(Entity.RELEASES, f'<release id="7"{attributes}>{inner}</release>', engine=engine)


def root(tables: dict[str, list[Row]], entity: Entity) -> Row:
    (row,) = tables[str(entity)]
    return row


def column(tables: dict[str, list[Row]], table: str, name: str) -> list[Any]:
    return [row[name] for row in tables.get(table, [])]
