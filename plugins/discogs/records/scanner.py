"""The ids and fingerprints of records, read from their bytes without parsing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xxhash

from discogs.records.block import REJECTED_XML_BYTES, Block, Rejected
from discogs.records.record_ids import MAX_ID, RecordIds
from discogs.records.splitter import Chunk
from discogs.records.unclosed import UnclosedRecords
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.seed import fingerprint_seed

IsStored = Callable[[npt.NDArray[np.int32], npt.NDArray[np.int64]], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Scanned:
    """The records of a chunk that belong to a shard, in the order of the file."""

    entity: Entity
    chunk: Chunk
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    fingerprints: npt.NDArray[np.int64]
    rejected: list[Rejected]

    @property
    def unpacked_bytes(self) -> int:
        """The offset in the decompressed file at which the chunk ends."""
        return self.chunk.offset + len(self.chunk.data)

    def repeated(self, positions: npt.NDArray[np.int64]) -> list[Rejected]:
        """Rejects for the records whose id already occurred in the file."""
        rejected = []
        for index in positions.tolist():
            start, end = int(self.starts[index]), int(self.ends[index])
            number = int(self.ids[index])
            rejected.append(
                Rejected(
                    self.chunk.offset + start,
                    number,
                    f"the id {number} occurs in the file a second time",
                    self.chunk.data[start : min(end, start + REJECTED_XML_BYTES)],
                )
            )
        return rejected

    def blocks(self, keep: npt.NDArray[np.bool_], block_bytes: int) -> Iterator[Block]:
        """The records to keep, in blocks of similar size, of at most about ``block_bytes`` each."""
        kept = np.flatnonzero(keep)
        if not len(kept):
            return
        starts, ends = self.starts[kept], self.ends[kept]
        reach = np.cumsum(ends - starts)
        view = memoryview(self.chunk.data)
        part_bytes = int(reach[-1]) / -(-int(reach[-1]) // block_bytes)
        first = 0
        while first < len(kept):
            base = int(reach[first - 1]) if first else 0
            last = int(np.searchsorted(reach, base + part_bytes)) + 1
            part = slice(first, last)
            bounds = zip(starts[part].tolist(), ends[part].tolist(), strict=True)
            sizes = ends[part] - starts[part]
            yield Block(
                self.entity,
                b"".join([view[start:end] for start, end in bounds]),
                np.cumsum(sizes) - sizes,
                self.ids[kept[part]],
                self.fingerprints[kept[part]],
                starts[part] + self.chunk.offset,
            )
            first = last


class Scanner:
    """Reads the ids and fingerprints of an entity's records, for one shard.

    :param is_stored: which of some ids are stored with their fingerprints. These records were
        complete when they were stored, so they are not searched for other records in them.
    :param seed: the seed of the fingerprints; None for that of the mapping.
    """

    def __init__(
        self,
        entity: Entity,
        shard: int = 0,
        shards: int = 1,
        is_stored: IsStored | None = None,
        seed: int | None = None,
    ) -> None:
        self.entity = entity
        self.shard = shard
        self.shards = shards
        self._is_stored = is_stored
        self._ids = RecordIds(MAPPINGS[entity])
        self._unclosed = UnclosedRecords(MAPPINGS[entity])
        self._seed = fingerprint_seed(MAPPINGS[entity]) if seed is None else seed

    def scan(self, chunk: Chunk) -> Scanned:
        """Read the ids and fingerprints of a chunk's records, after separating unclosed records
        from those that follow them."""
        scanned, positions = self._scan(chunk)
        suspect = np.ones(len(chunk.starts), np.bool_)
        if self._is_stored is not None:
            suspect[positions[self._is_stored(scanned.ids, scanned.fingerprints)]] = False
        resolved = self._unclosed.resolve(chunk, np.flatnonzero(suspect))
        return scanned if resolved is None else self._scan(resolved)[0]

    def _scan(self, chunk: Chunk) -> tuple[Scanned, npt.NDArray[np.int64]]:
        """The chunk's records of this shard, and their positions among all records of the chunk."""
        data = chunk.data
        found, found_in_rejects = self._ids.read(chunk)
        ids = np.array(found, np.int64)
        usable = (ids > 0) & (ids <= MAX_ID)
        rejected = [
            replace(reject, record_id=number or None)
            for reject, number in zip(chunk.rejected, found_in_rejects, strict=True)
            if number % self.shards == self.shard
        ]
        # Records without a usable id are reported by the first shard.
        for index in np.flatnonzero(~usable).tolist() if self.shard == 0 else ():
            start, xml = chunk.starts[index], data[chunk.starts[index] : chunk.ends[index]]
            reason, may_be_record = self._ids.problem(xml)
            where = chunk.offset + start
            rejected.append(Rejected(where, None, reason, xml[:REJECTED_XML_BYTES], may_be_record))
        if self.shards > 1:
            usable &= ids % self.shards == self.shard
        own = np.flatnonzero(usable)
        starts, ends = np.array(chunk.starts, np.int64)[own], np.array(chunk.ends, np.int64)[own]
        view, digest, seed = memoryview(data), xxhash.xxh3_64_intdigest, self._seed
        fingerprints = [
            digest(view[start:end], seed)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        scanned = Scanned(
            self.entity,
            chunk,
            starts,
            ends,
            ids[own].astype(np.int32),
            np.array(fingerprints, np.uint64).view(np.int64),
            rejected,
        )
        return scanned, own
