"""What the database knows of an entity's records, held compactly.

The load compares every record of a dump with it, so it is read once, in id order, in
server-made packets: a row a record would cost more than the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from psycopg import sql

from discogs.database.connection import Connection
from discogs.database.sql_files import compose
from discogs.schema.entities import Month

#: How many ids one packet spans.
_SPAN = 500_000
#: A record as the server packs it.
PACKED = np.dtype([("id", ">i4"), ("fingerprint", ">i8"), ("state", ">i2")])

_PAGE_BITS = 14
_PAGE_WORDS = 1 << (_PAGE_BITS - 6)

LIVE, PLACEHOLDER = 0, -1


def month_number(month: Month) -> int:
    """A month as the ``state`` of a removed record: the last month that had it."""
    return month.year * 12 + month.month


class FingerprintIndex:
    """What the database knows of each record, about 9 bytes a record, and which the dump has shown.

    A bit says that an id is known, and the number of bits before it where its fingerprint lies.
    The bits lie in pages, since a single id may be far above all others. Of the states only those
    are kept that are not LIVE.

    :param packets: arrays of ``PACKED``, in ascending order of the ids throughout.
    """

    def __init__(self, packets: Iterable[npt.NDArray[np.void]] = ()) -> None:
        pages: dict[int, npt.NDArray[np.uint64]] = {-1: np.zeros(_PAGE_WORDS, np.uint64)}
        prints = [np.empty(0, np.int64)]
        odd_places, odd_states = [np.empty(0, np.int64)], [np.empty(0, np.int16)]
        size = 0
        for packet in packets:
            ids, states = packet["id"].astype(np.int32), packet["state"].astype(np.int16)
            _set_bits(pages, ids)
            prints.append(packet["fingerprint"].astype(np.int64))
            odd = np.flatnonzero(states != LIVE)
            odd_places.append(odd + size)
            odd_states.append(states[odd])
            size += len(packet)
        #: In ascending order of the ids; the places that :meth:`find` gives lead here.
        self.fingerprints: npt.NDArray[np.int64] = np.concatenate(prints)
        del prints
        self._odd_places = np.concatenate(odd_places)
        self._odd_states = np.concatenate(odd_states)
        self._pages = np.array(sorted(pages), np.int32)
        self._words = np.stack([pages[page] for page in self._pages.tolist()])
        self._seen = np.zeros_like(self._words)
        before = np.cumsum(np.bitwise_count(self._words), dtype=np.int32)
        self._ranks = np.concatenate([[np.int32(0)], before[:-1]]).reshape(self._words.shape)
        # Slot 0 is the empty page, which all ids have whose page is not there.
        self._slots = np.zeros(1 << (31 - _PAGE_BITS), np.int32)
        self._slots[self._pages[1:]] = np.arange(1, len(self._pages))

    def __len__(self) -> int:
        return len(self.fingerprints)

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take."""
        arrays = [each for each in vars(self).values() if isinstance(each, np.ndarray)]
        return sum(array.nbytes for array in arrays)

    def find(
        self, ids: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Which ids are known, and where; the place of an unknown one means nothing."""
        at, bit = self._bits(ids)
        words = self._words[at]
        places = self._ranks[at] + np.bitwise_count(words & (bit - np.uint64(1))).astype(np.int64)
        found: npt.NDArray[np.bool_] = (words & bit) != 0
        places[~found] = 0
        return found, places

    def states(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
        """LIVE, PLACEHOLDER, or of a removed record the number of the last month that had it."""
        states = np.full(len(places), LIVE, np.int16)
        if len(self._odd_places):
            at = np.searchsorted(self._odd_places, places)
            at[at == len(self._odd_places)] = 0
            odd = self._odd_places[at] == places
            states[odd] = self._odd_states[at[odd]]
        return states

    def see(self, ids: npt.NDArray[np.int32]) -> None:
        """Note that the dump has these ids, which must be known."""
        at, bit = self._bits(ids)
        np.bitwise_or.at(self._seen, at, bit)

    def unseen(self) -> npt.NDArray[np.int32]:
        """The known ids that the dump has not shown, in ascending order."""
        found = [np.empty(0, np.int32)]
        for page, words, seen in zip(self._pages.tolist(), self._words, self._seen, strict=True):
            left = (words & ~seen).astype("<u8").view(np.uint8)
            offsets = np.flatnonzero(np.unpackbits(left, bitorder="little"))
            found.append((offsets + (page << _PAGE_BITS)).astype(np.int32))
        return np.concatenate(found)

    def _bits(
        self, ids: npt.NDArray[np.int32]
    ) -> tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]], npt.NDArray[np.uint64]]:
        """Where the bits of ids lie: slot and word, and the bit in the word."""
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
        # A page may begin in one packet and go on in the next.
        pages[page] = pages[page] | words if page in pages else words


def read_fingerprints(
    conn: Connection, root: str, shard: int = 0, shards: int = 1
) -> FingerprintIndex:
    """Read a root table's ids, fingerprints and states, for one shard of them."""
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
