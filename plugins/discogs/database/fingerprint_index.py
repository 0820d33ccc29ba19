"""The fingerprint index: the stored fingerprints of an entity's records, compact in memory.

A load compares every record of a dump with them. They are read once, in the order of the ids, in
packets that the server aggregates: a result row per record would take longer than the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.sql_files import compose
from discogs.schema.entities import Month

#: The range of ids in one packet.
_SPAN = 500_000
#: A record in a packet.
PACKED = np.dtype([("id", ">i4"), ("fingerprint", ">i8"), ("state", ">i2")])

_PAGE_BITS = 14
_PAGE_WORDS = 1 << (_PAGE_BITS - 6)

#: States of records. The state of a removed record is the number of the last month that had it.
LIVE, PLACEHOLDER = 0, -1


def month_number(month: Month) -> int:
    """The number of a month, as the state of a removed record."""
    return month.year * 12 + month.month


@dataclass(frozen=True)
class Stored:
    """The stored records of some ids, an entry per id; where ``found`` is false, the other arrays
    have no meaning."""

    found: npt.NDArray[np.bool_]
    fingerprints: npt.NDArray[np.int64]
    states: npt.NDArray[np.int16]


class FingerprintIndex:
    """Fingerprint and state of each record, in about 9 bytes per record.

    A bitmap has a bit for each id, and the number of bits set before it (its rank) is the position
    of the id's fingerprint. Of the bitmap only pages with ids are kept, since a single id may be
    far above all others; of the states, only those other than LIVE.

    :param packets: arrays of ``PACKED``, in ascending order of the ids throughout.
    """

    def __init__(self, packets: Iterable[npt.NDArray[np.void]] = ()) -> None:
        pages: dict[int, npt.NDArray[np.uint64]] = {-1: np.zeros(_PAGE_WORDS, np.uint64)}
        prints = [np.empty(0, np.int64)]
        positions, other_states = [np.empty(0, np.int64)], [np.empty(0, np.int16)]
        size = 0
        for packet in packets:
            ids, states = packet["id"].astype(np.int32), packet["state"].astype(np.int16)
            _set_bits(pages, ids)
            prints.append(packet["fingerprint"].astype(np.int64))
            other = np.flatnonzero(states != LIVE)
            positions.append(other + size)
            other_states.append(states[other])
            size += len(packet)
        self._fingerprints: npt.NDArray[np.int64] = np.concatenate(prints)
        del prints
        #: Positions and states of the records that are not LIVE.
        self._other_positions = np.concatenate(positions)
        self._other_states = np.concatenate(other_states)
        self._pages = np.array(sorted(pages), np.int32)
        self._words = np.stack([pages[page] for page in self._pages.tolist()])
        before = np.cumsum(np.bitwise_count(self._words), dtype=np.int32)
        self._ranks = np.concatenate([[np.int32(0)], before[:-1]]).reshape(self._words.shape)
        # Slot 0 is an empty page, to which every page without an id is mapped.
        self._slots = np.zeros(1 << (31 - _PAGE_BITS), np.int32)
        self._slots[self._pages[1:]] = np.arange(1, len(self._pages))

    def __len__(self) -> int:
        return len(self._fingerprints)

    def lookup(self, ids: npt.NDArray[np.int32]) -> Stored:
        """The stored fingerprints and states of some ids."""
        at, bit = self._bits(ids)
        words = self._words[at]
        found = (words & bit) != 0
        before = np.bitwise_count(words & (bit - np.uint64(1))).astype(np.int64)
        positions = np.where(found, self._ranks[at] + before, 0)
        if not len(self):
            return Stored(found, np.zeros(len(ids), np.int64), np.full(len(ids), LIVE, np.int16))
        return Stored(found, self._fingerprints[positions], self._states(positions))

    def holds(
        self, ids: npt.NDArray[np.int32], fingerprints: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Which of these ids are stored with these fingerprints."""
        stored = self.lookup(ids)
        held: npt.NDArray[np.bool_] = stored.found & (stored.fingerprints == fingerprints)
        return held

    def pages(self) -> Iterator[npt.NDArray[np.int32]]:
        """All ids in ascending order, some thousands at a time."""
        for page, words in zip(self._pages.tolist(), self._words, strict=True):
            bits = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")
            yield (np.flatnonzero(bits) + (page << _PAGE_BITS)).astype(np.int32)

    def _states(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
        states = np.full(len(positions), LIVE, np.int16)
        if len(self._other_positions):
            at = np.searchsorted(self._other_positions, positions)
            at[at == len(self._other_positions)] = 0
            other = self._other_positions[at] == positions
            states[other] = self._other_states[at[other]]
        return states

    def _bits(
        self, ids: npt.NDArray[np.int32]
    ) -> tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]], npt.NDArray[np.uint64]]:
        """The position of each id's bit: slot and word, and the bit as a mask of the word."""
        slot = self._slots[ids >> _PAGE_BITS]
        word = (ids >> 6) & (_PAGE_WORDS - 1)
        return (slot, word), np.uint64(1) << (ids & 63).astype(np.uint64)


def _set_bits(pages: dict[int, npt.NDArray[np.uint64]], ids: npt.NDArray[np.int32]) -> None:
    first = np.flatnonzero(np.diff(ids >> _PAGE_BITS, prepend=-1))
    for part in np.split(ids, first[1:]) if len(ids) else ():
        page = int(part[0]) >> _PAGE_BITS
        flags = np.zeros(1 << _PAGE_BITS, np.bool_)
        flags[part & ((1 << _PAGE_BITS) - 1)] = True
        words = np.packbits(flags, bitorder="little").view("<u8").astype(np.uint64)
        # The ids of a page may come in two packets.
        pages[page] = pages[page] | words if page in pages else words


def read_fingerprints(
    conn: Connection, root: str, shard: int = 0, shards: int = 1
) -> FingerprintIndex:
    """Read the ids, fingerprints and states of a root table, for one shard."""
    row = conn.execute(
        sql.SQL("SELECT min(id), max(id) FROM {}").format(sql.Identifier(root))
    ).fetchone()
    if row is None or row[0] is None:
        return FingerprintIndex()
    return FingerprintIndex(_packets(conn, root, int(row[0]), int(row[1]), shard, shards))


def _packets(
    conn: Connection, root: str, low: int, high: int, shard: int, shards: int
) -> Iterator[npt.NDArray[np.void]]:
    query = compose("staging/fingerprints", root=sql.Identifier(root))
    with conn.cursor(binary=True) as cursor:
        for start in range(low, high + 1, _SPAN):
            cursor.execute(
                query,
                {"low": start, "high": start + _SPAN, "shard": shard, "shards": shards},
            )
            found = cursor.fetchone()
            if found is not None and found[0] is not None:
                yield np.frombuffer(found[0], dtype=PACKED)
