"""Each record's id and fingerprint, read from its bytes without parsing it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xxhash
from lxml import etree

from discogs.records.block import MAX_ID, REJECTED_XML_BYTES, Block, Rejected
from discogs.records.lxml_parser import parse_record, parsed_so_far
from discogs.records.splitter import Chunk
from discogs.records.unclosed import Unclosed
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.seed import fingerprint_seed


@dataclass(frozen=True)
class Scanned:
    """The records of one cut that belong to a shard, in the order of the file."""

    entity: Entity
    cut: Chunk
    #: Which of the cut's records these are.
    places: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    fingerprints: npt.NDArray[np.int64]
    rejected: list[Rejected]

    def blocks(self, keep: npt.NDArray[np.bool_], block_bytes: int) -> Iterator[Block]:
        """The records to keep, in blocks of about the same size, not much above so many bytes."""
        chosen = np.flatnonzero(keep)
        if not len(chosen):
            return
        starts, ends = self.starts[chosen], self.ends[chosen]
        reach = np.cumsum(ends - starts)
        view = memoryview(self.cut.data)
        part_bytes = int(reach[-1]) / -(-int(reach[-1]) // block_bytes)
        first = 0
        while first < len(chosen):
            base = int(reach[first - 1]) if first else 0
            last = int(np.searchsorted(reach, base + part_bytes)) + 1
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
        self._seed = fingerprint_seed(MAPPINGS[entity])
        self._unclosed = Unclosed(entity)
        tag = re.escape(entity.record.encode())
        self._opens = re.compile(rb"<%b(?=[\s/>])" % tag)
        self._attribute = re.compile(
            rb"""<%b(?:\s+[^\s=<>"']+\s*=\s*(?:"[^"]*"|'[^']*'))*?"""
            rb"""\s+id\s*=\s*["']\s*([0-9]{1,10})\s*["']""" % tag
        )
        if MAPPINGS[entity].id_path == "@id":
            self._usual = re.compile(rb'<%b id="([0-9]{1,10})"' % tag)
        else:
            self._usual = re.compile(
                rb"<%b>\s*(?:<images>(?:\s*<image[^<>]*/>)*\s*</images>\s*)?"
                rb"<id>\s*([0-9]{1,10})\s*</id>" % tag
            )

    def scan(self, cut: Chunk) -> Scanned:
        """Read ids and fingerprints of a cut's records."""
        data, starts, ends = cut.data, cut.starts, cut.ends
        rejected = list(self._mine(cut.rejected))
        match = self._usual.match
        found = [match(data, start) for start in starts]
        ids = [
            int(m[1]) if m else self._rare(data[s:e])
            for m, s, e in zip(found, starts, ends, strict=True)
        ]
        if not all(0 < i <= MAX_ID for i in ids) and self.shard == 0:
            for i, start, end in zip(ids, starts, ends, strict=True):
                if not 0 < i <= MAX_ID:
                    xml = data[start:end]
                    rejected.append(
                        Rejected(
                            cut.offset + start, None, self._complaint(xml), xml[:REJECTED_XML_BYTES]
                        )
                    )
        numbers = np.array(ids, dtype=np.int64)
        mine = (numbers > 0) & (numbers <= MAX_ID)
        if self.shards > 1:
            mine &= numbers % self.shards == self.shard
        chosen = np.flatnonzero(mine)
        view, digest, seed = memoryview(data), xxhash.xxh3_64_intdigest, self._seed
        first, last = (
            np.array(starts, dtype=np.int64)[chosen],
            np.array(ends, dtype=np.int64)[chosen],
        )
        prints = [
            digest(view[start:end], seed)
            for start, end in zip(first.tolist(), last.tolist(), strict=True)
        ]
        return Scanned(
            self.entity,
            cut,
            chosen,
            first,
            last,
            numbers[chosen].astype(np.int32),
            np.array(prints, dtype=np.uint64).view(np.int64),
            rejected,
        )

    def behind(self, scanned: Scanned, keep: npt.NDArray[np.bool_]) -> Chunk | None:
        """The records that follow unclosed ones, which end before them from now on.

        :param keep: which of the scanned records are to be parsed; one that is not was read
            whole before. Records of other shards are all looked into, since what follows them
            may be this shard's.
        """
        if MAPPINGS[self.entity].record_nests:
            return None  # Their depth is counted, so the cutter has seen it.
        cut = scanned.cut
        places: list[int] | None = None
        if self.shards == 1 and 4 * int(np.count_nonzero(keep)) < len(keep):
            places = scanned.places[keep].tolist()
            if len(scanned.places) < len(cut.starts):
                places += np.setdiff1d(np.arange(len(cut.starts)), scanned.places).tolist()
        splits = self._unclosed.splits(cut, places)
        if not splits:
            return None
        behind = Chunk(cut.data, cut.offset)
        for place, starts in sorted(splits.items()):
            behind.starts += starts
            behind.ends += [*starts[1:], cut.ends[place]]
            scanned.ends[scanned.places == place] = starts[0]
        return behind

    def _mine(self, rejected: Iterable[Rejected]) -> Iterator[Rejected]:
        """Those rejects of the cutter that are this shard's to tell of; with ids, if they have."""
        for reject in rejected:
            number = 0
            if self._opens.match(reject.xml):
                usual = self._usual.match(reject.xml)
                number = int(usual[1]) if usual else self._guess(reject.xml)
            if not 0 < number <= MAX_ID:
                number = 0
            if number % self.shards == self.shard:
                yield replace(reject, record_id=number or None)

    def _rare(self, xml: bytes) -> int:
        """The id of a record that is not written in the usual way; 0 where it has none."""
        try:
            text = self._id_text(parse_record(xml))
        except etree.XMLSyntaxError:
            return self._guess(xml)
        return int(text) if re.fullmatch(r"\+?[0-9]{1,18}", text) else 0

    def _id_text(self, record: etree._Element) -> str:
        path = MAPPINGS[self.entity].id_path
        text = record.get("id") if path == "@id" else record.findtext(path)
        return (text or "").strip()

    def _guess(self, xml: bytes) -> int:
        """The id of a record that does not parse, as far as it stands before the defect."""
        path = MAPPINGS[self.entity].id_path
        if path == "@id":
            match = self._attribute.match(xml)
            return int(match[1]) if match else 0
        depth = 0
        for event, element in parsed_so_far(xml):
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1 and element.tag == path:
                text = (element.text or "").strip()
                return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0
        return 0

    def _complaint(self, xml: bytes) -> str:
        """What is wrong with a record that has no usable id."""
        try:
            text = self._id_text(parse_record(xml))
        except etree.XMLSyntaxError as error:
            return str(error)
        if not text:
            return "the record has no id"
        return f"the id {text[:80]!r} is not a number from 1 to {MAX_ID}"
