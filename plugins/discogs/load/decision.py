"""Which records of a dump are needed: what an older month brings never overwrites a newer one.

The decisions are pure functions of what is stored, the month, and whether it is the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from discogs.database.fingerprint_index import LIVE, FingerprintIndex, Stored, month_number
from discogs.records.block import Rejected
from discogs.records.scanner import Scanned
from discogs.records.seen_ids import SeenIds
from discogs.schema.entities import Month


@dataclass(frozen=True)
class Decision:
    """What to do with some records of a dump."""

    #: Which of them are parsed and staged.
    keep: npt.NDArray[np.bool_]
    #: How many need nothing.
    unchanged: int
    #: The positions of those whose id the file has held before.
    duplicates: npt.NDArray[np.int64]

    @property
    def kept(self) -> int:
        return int(np.count_nonzero(self.keep))


def decide(
    scanned: Scanned,
    first: npt.NDArray[np.bool_],
    stored: Stored,
    month: Month,
    *,
    newest: bool,
    left_out: SeenIds | None = None,
) -> Decision:
    """Decide about some records of a month's dump.

    A record that is unknown, or a placeholder so far, is always needed. In the newest month every
    other one is needed unless it is live with the same bytes. In an older month a live record is
    not, since a newer month had it; a removed one only if the last month that had it is older,
    or is this one and had other bytes. What a newer month has and a filter left out of it is not
    brought back by an older one.

    :param first: which of the records are the first of their id in the file, an entry a record.
    :param stored: what the database holds of their ids.
    :param newest: whether no newer month was merged.
    :param left_out: ids that filters left out of newer months.
    """
    same = stored.fingerprints == scanned.fingerprints
    live = stored.states == LIVE
    if newest:
        settled = live & same
    else:
        number = month_number(month)
        settled = live | (stored.states > number) | ((stored.states == number) & same)
    settled &= stored.found
    if left_out is not None:
        settled |= left_out.has(scanned.ids)
    unchanged = int(np.count_nonzero(first & settled))
    return Decision(first & ~settled, unchanged, np.flatnonzero(~first))


@dataclass
class Counts:
    """What was read of a file so far, and what was decided about it."""

    read: int = 0
    unchanged: int = 0
    kept: int = 0
    unpacked_bytes: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    #: Records whose id the file has held before.
    repeated: list[Rejected] = field(default_factory=list)

    def count(self, scanned: Scanned, decision: Decision) -> None:
        self.read += len(scanned.ids) + len(scanned.rejected)
        self.unchanged += decision.unchanged
        self.kept += decision.kept
        self.unpacked_bytes = scanned.unpacked_bytes
        self.rejected += scanned.rejected
        self.repeated += scanned.repeated(decision.duplicates)


def absent_ids(
    index: FingerprintIndex, seen: SeenIds, month: Month, *, newest: bool
) -> npt.NDArray[np.int32]:
    """The ids that a month's dump lacks and whose records change for it, in ascending order.

    The newest month lacks live records: they are removed. An older one lacks records that only
    months before it had: they were removed by then already.

    :param seen: every id that the dump holds, those of rejected records included.
    """
    ids = np.concatenate([page[~seen.has(page)] for page in index.pages()])
    states = index.lookup(ids).states
    earlier = (states > LIVE) & (states < month_number(month))
    absent: npt.NDArray[np.int32] = ids[states == LIVE if newest else earlier]
    return absent
