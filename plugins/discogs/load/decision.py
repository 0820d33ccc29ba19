"""Which records of a dump are staged: an older month never overwrites a newer one.

The decisions are pure functions of the stored records, the month, and whether it is the newest.
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
    """What to do with a batch of a dump's records."""

    #: Which records are parsed and staged, an entry per record.
    keep: npt.NDArray[np.bool_]
    #: How many records are skipped as unchanged.
    unchanged: int
    #: Positions of the records whose id already occurred in the file.
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
    """Decide which records of a month's dump are staged.

    A record that is not stored, or only as a placeholder, is always staged.

    In the newest month, every other record is staged unless it is live with the same fingerprint.

    In an older month, a live record is skipped, since a newer month has it. A removed record is
    staged if the last month that had it is older, or is this month with another fingerprint. A
    record that a filter left out of a newer month is skipped: an older month does not restore it.

    :param first: which records are the first with their id in the file, an entry per record.
    :param stored: the stored fingerprints and states of their ids.
    :param newest: whether no newer month has been merged.
    :param left_out: ids that filters left out of newer months.
    """
    same = stored.fingerprints == scanned.fingerprints
    live = stored.states == LIVE
    if newest:
        skipped = live & same
    else:
        number = month_number(month)
        skipped = live | (stored.states > number) | ((stored.states == number) & same)
    skipped &= stored.found
    if left_out is not None:
        skipped |= left_out.has(scanned.ids)
    unchanged = int(np.count_nonzero(first & skipped))
    return Decision(first & ~skipped, unchanged, np.flatnonzero(~first))


@dataclass
class Counts:
    """Counts of the records read so far, and of the decisions."""

    read: int = 0
    unchanged: int = 0
    kept: int = 0
    unpacked_bytes: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    #: Records whose id already occurred in the file.
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
    """The stored ids that are absent from a month's dump and whose records this changes, in
    ascending order.

    For the newest month these are live records, which are now removed. For an older month they are
    removed records that were last seen before it, whose month of removal becomes earlier.

    :param seen: all ids of the dump, those of rejected records included.
    """
    ids = np.concatenate([page[~seen.has(page)] for page in index.pages()])
    states = index.lookup(ids).states
    earlier = (states > LIVE) & (states < month_number(month))
    absent: npt.NDArray[np.int32] = ids[states == LIVE if newest else earlier]
    return absent
