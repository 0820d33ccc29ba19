from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from discogs.records.record_ids import MAX_ID
from discogs.records.seen_ids import SeenIds


def test_the_first_of_an_id_is_distinguished_from_the_second() -> None:
    seen = SeenIds()
    assert seen.see(np.array([5, 3, 5, 9], np.int32)).tolist() == [True, True, False, True]
    assert seen.see(np.array([4, 3, 9], np.int32)).tolist() == [True, False, False]
    assert seen.see(np.array([], np.int32)).tolist() == []


NUMBERS = st.one_of(
    st.integers(1, 40),
    st.integers(2**20 - 3, 2**20 + 3),
    st.integers(MAX_ID - 3, MAX_ID),
    st.integers(1, MAX_ID),
    st.integers(-MAX_ID - 1, -1),  # a reference may hold any integer
)


@given(st.lists(st.lists(NUMBERS, max_size=30), max_size=6), st.lists(NUMBERS, max_size=30))
def test_ids_are_held_like_in_a_set(batches: list[list[int]], others: list[int]) -> None:
    seen, known = SeenIds(), set[int]()
    for batch in batches:
        expected = []
        for number in batch:
            expected.append(number not in known)
            known.add(number)
        assert seen.see(np.array(batch, np.int32)).tolist() == expected
    asked = [*others, *known]
    assert seen.has(np.array(asked, np.int32)).tolist() == [number in known for number in asked]
    both = SeenIds()
    both.see(np.array(others, np.int32))
    both.add(seen)
    assert [number for page in both.ids() for number in page.tolist()] == sorted({*asked})
