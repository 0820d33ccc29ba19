"""The decision which records are staged, without a database: a test per rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discogs.database.fingerprint_index import (
    LIVE,
    PACKED,
    PLACEHOLDER,
    FingerprintIndex,
    month_number,
)
from discogs.load.decision import Counts, Decision, absent_ids, decide
from discogs.records.scanner import Scanned, Scanner
from discogs.records.seen_ids import SeenIds
from discogs.schema.entities import Entity, Month
from tests.records.reading import chunks, dump

MONTH = Month(2026, 5)
EARLIER, NOW, LATER = (month_number(MONTH.plus(by)) for by in (-2, 0, 2))
#: The fingerprint of the file's records, and another one.
SAME, OTHER = 7, 8


def index(records: dict[int, tuple[int, int]]) -> FingerprintIndex:
    """An index of the given fingerprints and states."""
    rows = [(number, *values) for number, values in sorted(records.items())]
    return FingerprintIndex([np.array(rows, PACKED)])


def scanned(*ids: int) -> Scanned:
    """Records with these ids, all with the fingerprint SAME; an id of 0 is rejected."""
    records = [f'<release id="{number}"></release>' for number in ids]
    found = Scanner(Entity.RELEASES).scan(
        chunks(Entity.RELEASES, dump(Entity.RELEASES, *records))[0]
    )
    found.fingerprints[:] = SAME
    return found


def decided(
    stored: dict[int, tuple[int, int]], *ids: int, newest: bool, seen: SeenIds | None = None
) -> Decision:
    records = scanned(*ids)
    first = (seen or SeenIds()).see(records.ids)
    found = index(stored).lookup(records.ids)
    return decide(records, first, found, MONTH, newest=newest)


@pytest.mark.parametrize(
    ("state", "fingerprint", "in_newest", "in_older"),
    [
        pytest.param(LIVE, SAME, False, False, id="live with the same bytes"),
        pytest.param(LIVE, OTHER, True, False, id="live with other bytes"),
        pytest.param(PLACEHOLDER, SAME, True, True, id="a placeholder"),
        pytest.param(PLACEHOLDER, OTHER, True, True, id="a placeholder with other bytes"),
        pytest.param(EARLIER, SAME, True, True, id="last seen earlier, same bytes"),
        pytest.param(EARLIER, OTHER, True, True, id="last seen earlier, other bytes"),
        pytest.param(NOW, SAME, True, False, id="last seen in this month, same bytes"),
        pytest.param(NOW, OTHER, True, True, id="last seen in this month, other bytes"),
        pytest.param(LATER, SAME, True, False, id="last seen later, same bytes"),
        pytest.param(LATER, OTHER, True, False, id="last seen later, other bytes"),
    ],
)
def test_a_stored_record_is_staged_if_the_month_has_newer_content(
    state: int, fingerprint: int, in_newest: bool, in_older: bool
) -> None:
    for newest, needed in ((True, in_newest), (False, in_older)):
        decision = decided({5: (fingerprint, state)}, 5, newest=newest)
        assert decision.keep.tolist() == [needed]
        assert (decision.kept, decision.unchanged) == (int(needed), int(not needed))
        assert decision.duplicates.tolist() == []


@pytest.mark.parametrize("newest", [True, False])
def test_an_unknown_record_is_staged(newest: bool) -> None:
    for stored in ({}, {4: (SAME, LIVE), 6: (SAME, LIVE)}):
        decision = decided(stored, 5, newest=newest)
        assert (decision.keep.tolist(), decision.unchanged) == ([True], 0)


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("stored", [{}, {5: (SAME, LIVE)}, {5: (OTHER, PLACEHOLDER)}])
def test_a_second_record_of_an_id_is_a_duplicate_and_nothing_else(
    newest: bool, stored: dict[int, tuple[int, int]]
) -> None:
    seen = SeenIds()
    one = decided(stored, 5, 6, 5, newest=newest, seen=seen)
    alone = decided(stored, 5, 6, newest=newest)
    assert one.duplicates.tolist() == [2]
    assert one.keep.tolist() == [*alone.keep.tolist(), False]
    assert one.unchanged == alone.unchanged
    # The same ids in a later part of the file.
    again = decided(stored, 6, 5, newest=newest, seen=seen)
    assert again.duplicates.tolist() == [0, 1]
    assert (again.kept, again.unchanged) == (0, 0)


def test_a_record_that_a_filter_left_out_of_a_newer_month_is_not_restored() -> None:
    left_out = SeenIds()
    left_out.see(np.array([5, 6], np.int32))
    records, stored = scanned(4, 5, 6, 7), index({6: (OTHER, EARLIER), 7: (OTHER, EARLIER)})
    first, found = SeenIds().see(records.ids), stored.lookup(records.ids)
    decision = decide(records, first, found, MONTH, newest=False, left_out=left_out)
    assert decision.keep.tolist() == [True, False, False, True]
    assert (decision.kept, decision.unchanged) == (2, 2)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, LIVE, PLACEHOLDER, EARLIER, NOW, LATER]),
            st.sampled_from([SAME, OTHER]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.booleans(),
)
def test_the_decision_on_a_record_does_not_depend_on_others(
    kinds: list[tuple[int | None, int]], newest: bool
) -> None:
    stored = {
        number: (fingerprint, state)
        for number, (state, fingerprint) in enumerate(kinds, 1)
        if state is not None
    }
    together = decided(stored, *range(1, len(kinds) + 1), newest=newest)
    alone = [decided(stored, number, newest=newest) for number in range(1, len(kinds) + 1)]
    assert together.keep.tolist() == [bool(one.kept) for one in alone]
    assert together.unchanged == sum(one.unchanged for one in alone)
    assert together.kept + together.unchanged == len(kinds)


# Records that are absent from the dump.

STORED = {
    1: (SAME, LIVE),
    2: (SAME, LIVE),
    3: (SAME, PLACEHOLDER),
    4: (SAME, EARLIER),
    5: (SAME, NOW),
    6: (SAME, LATER),
    2**31 - 1: (SAME, LIVE),
}


def absent(newest: bool, *present: int) -> list[int]:
    seen = SeenIds()
    seen.see(np.array(present, np.int32))
    return absent_ids(index(STORED), seen, MONTH, newest=newest).tolist()


def test_the_newest_month_removes_absent_live_records() -> None:
    assert absent(True) == [1, 2, 2**31 - 1]
    assert absent(True, 2, 7) == [1, 2**31 - 1]


def test_an_older_month_moves_the_removal_of_absent_records_back() -> None:
    assert absent(False) == [4]
    assert absent(False, 4) == []


def test_no_record_is_absent_from_a_file_with_all_records() -> None:
    assert absent(True, *STORED) == absent(False, *STORED) == []
    nothing = absent_ids(FingerprintIndex(), SeenIds(), MONTH, newest=True)
    assert nothing.tolist() == []


def test_counts_add_up_and_name_the_duplicates() -> None:
    seen, counts = SeenIds(), Counts()
    stored = index({1: (SAME, LIVE), 2: (OTHER, LIVE)})
    assert counts == Counts(0, 0, 0, 0, [], [])
    for part in (scanned(1, 2, 3), scanned(4, 0, 2)):
        first = seen.see(part.ids)
        counts.count(part, decide(part, first, stored.lookup(part.ids), MONTH, newest=True))
    assert (counts.read, counts.unchanged, counts.kept) == (6, 1, 3)
    assert counts.unpacked_bytes == part.unpacked_bytes > 0
    assert [reject.xml for reject in counts.rejected] == [b'<release id="0"></release>']
    (duplicate,) = counts.repeated
    assert (duplicate.record_id, duplicate.xml) == (2, b'<release id="2"></release>')
    assert duplicate.reason == "the id 2 occurs in the file a second time"
