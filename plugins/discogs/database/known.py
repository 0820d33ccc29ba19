"""What the database knows of an entity's records, held compactly: 15 bytes a record.

The load compares every record of a dump with it, so it is read once, in id order, in
server-made packets: a row a record would cost more than the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from discogs.catalogue import Month
from discogs.database.sql import read

Connection = psycopg.Connection[TupleRow]

#: How many ids one packet spans.
_SPAN = 500_000
_PACKED = np.dtype([("id", ">i4"), ("fingerprint", ">i8"), ("state", ">i2")])

LIVE, PLACEHOLDER = 0, -1


def month_number(month: Month) -> int:
    """A month as the ``state`` of a removed record: the last month that had it."""
    return month.year * 12 + month.month


@dataclass
class KnownRecords:
    """Ids in ascending order, and beside each its fingerprint, state, and whether it was seen.

    ``states`` holds LIVE, PLACEHOLDER, or for a removed record the number of the last month
    that had it.
    """

    ids: npt.NDArray[np.int32]
    fingerprints: npt.NDArray[np.int64]
    states: npt.NDArray[np.int16]
    seen: npt.NDArray[np.bool_]

    @classmethod
    def none(cls) -> KnownRecords:
        """An empty database."""
        return cls(
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.int16),
            np.empty(0, np.bool_),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def find(
        self, ids: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Which ids are known, and where; the place of an unknown one means nothing."""
        if not len(self.ids):
            return np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.int64)
        places = np.searchsorted(self.ids, ids)
        places[places == len(self.ids)] = 0
        return self.ids[places] == ids, places


def read_known(conn: Connection, root: str, shard: int = 0, shards: int = 1) -> KnownRecords:
    """Read a root table's ids, fingerprints and states, for one shard of them."""
    row = conn.execute(
        sql.SQL("SELECT count(*), min(id), max(id) FROM {}").format(sql.Identifier(root))
    ).fetchone()
    if row is None or not row[0]:
        return KnownRecords.none()
    low, high = int(row[1]), int(row[2])
    query = sql.SQL(read("staging/known_records.sql")).format(root=sql.Identifier(root))
    packets: list[npt.NDArray[np.void]] = []
    with conn.cursor(binary=True) as cursor:
        for start in range(low, high + 1, _SPAN):
            cursor.execute(
                query,
                {"low": start, "high": start + _SPAN, "shard": shard, "shards": shards},
            )
            found = cursor.fetchone()
            if found is not None and found[0] is not None:
                packets.append(np.frombuffer(found[0], dtype=_PACKED))
    size = sum(len(packet) for packet in packets)
    known = KnownRecords(
        np.empty(size, np.int32),
        np.empty(size, np.int64),
        np.empty(size, np.int16),
        np.zeros(size, np.bool_),
    )
    at = 0
    for packet in packets:
        part = slice(at, at + len(packet))
        known.ids[part] = packet["id"]
        known.fingerprints[part] = packet["fingerprint"]
        known.states[part] = packet["state"]
        at += len(packet)
    return known
