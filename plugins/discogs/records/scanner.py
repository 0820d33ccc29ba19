"""Each record's id and fingerprint, read from its bytes without parsing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash
from lxml import etree

from discogs.catalogue import Entity
from discogs.records.block import MAX_ID, REJECTED_XML_BYTES, Block, Rejected
from discogs.records.careful import parse_record
from discogs.records.cutter import Cut
from discogs.records.mapping import MAPPING_VERSION, MAPPINGS


@dataclass(frozen=True)
class Scanned:
    """The records of one cut that belong to a shard, in the order of the file."""

    entity: Entity
    cut: Cut
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    fingerprints: npt.NDArray[np.int64]
    rejected: list[Rejected]

    def blocks(self, keep: npt.NDArray[np.bool_], block_bytes: int) -> Iterator[Block]:
        """The records to keep, in blocks of about so many bytes."""
        chosen = np.flatnonzero(keep)
        if not len(chosen):
            return
        starts, ends = self.starts[chosen], self.ends[chosen]
        reach = np.cumsum(ends - starts)
        view = memoryview(self.cut.data)
        first = 0
        while first < len(chosen):
            base = int(reach[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(reach, base + block_bytes)))
            part = slice(first, last)
            bounds = zip(starts[part].tolist(), ends[part].tolist(), strict=True)
            sizes = ends[part] - starts[part]
            yield Block(
                self.entity,
                b"".join([view[start:end] for start, end in bounds]),
                np.cumsum(sizes) - sizes,
                self.ids[chosen[part]],
                self.fingerprints[chosen[part]],
                starts[part] + self.cut.offset,
            )
            first = last


class Scanner:
    """Reads ids and fingerprints of one entity's records, for one shard of them."""

    def __init__(self, entity: Entity, shard: int = 0, shards: int = 1) -> None:
        self.entity = entity
        self.shard = shard
        self.shards = shards
        tag = re.escape(entity.record.encode())
        if MAPPINGS[entity].id_path == "@id":
            self._usual = re.compile(rb'<%b id="([0-9]{1,10})"' % tag)
        else:
            self._usual = re.compile(
                rb"<%b>\s*(?:<images>.*?</images>\s*)?<id>\s*([0-9]{1,10})\s*</id>" % tag, re.DOTALL
            )

    def scan(self, cut: Cut) -> Scanned:
        """Read ids and fingerprints of a cut's records."""
        data, starts, ends = cut.data, cut.starts, cut.ends
        rejected = list(cut.rejected) if self.shard == 0 else []
        match = self._usual.match
        found = [match(data, start) for start in starts]
        ids = [
            int(m[1]) if m else self._rare(data[s:e])
            for m, s, e in zip(found, starts, ends, strict=True)
        ]
        if not all(0 < i <= MAX_ID for i in ids):
            for i, start, end in zip(ids, starts, ends, strict=True):
                if not 0 < i <= MAX_ID and self.shard == 0:
                    rejected.append(self._without_id(cut.offset + start, data[start:end], i))
        numbers = np.array(ids, dtype=np.int64)
        mine = (numbers > 0) & (numbers <= MAX_ID)
        if self.shards > 1:
            mine &= numbers % self.shards == self.shard
        chosen = np.flatnonzero(mine)
        view, digest = memoryview(data), xxhash.xxh3_64_intdigest
        first, last = (
            np.array(starts, dtype=np.int64)[chosen],
            np.array(ends, dtype=np.int64)[chosen],
        )
        prints = [
            digest(view[start:end], MAPPING_VERSION)
            for start, end in zip(first.tolist(), last.tolist(), strict=True)
        ]
        return Scanned(
            self.entity,
            cut,
            first,
            last,
            numbers[chosen].astype(np.int32),
            np.array(prints, dtype=np.uint64).view(np.int64),
            rejected,
        )

    def _rare(self, xml: bytes) -> int:
        """The id of a record that is not written in the usual way; 0 where it has none."""
        try:
            record = parse_record(xml)
        except etree.XMLSyntaxError:
            return self._guess(xml)
        path = MAPPINGS[self.entity].id_path
        text = record.get("id") if path == "@id" else record.findtext(path)
        text = (text or "").strip()
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0

    def _guess(self, xml: bytes) -> int:
        """The id of a record that does not parse, so that its reject can be found."""
        match = re.search(rb'\sid="([0-9]{1,10})"|<id>([0-9]{1,10})</id>', xml[:4096])
        return int(match[1] or match[2]) if match else 0

    def _without_id(self, offset: int, xml: bytes, found: int) -> Rejected:
        if found > MAX_ID:
            reason = f"the id {found} is larger than {MAX_ID}"
        else:
            try:
                parse_record(xml)
                reason = "the record has no id"
            except etree.XMLSyntaxError as error:
                reason = str(error)
        return Rejected(offset, None, reason, xml[:REJECTED_XML_BYTES])
