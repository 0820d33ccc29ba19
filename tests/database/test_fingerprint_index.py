"""The fingerprint index behaves like a dict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discogs.database import migrations
from discogs.database.connection import Connect
from discogs.database.fingerprint_index import (
    LIVE,
    PACKED,
    PLACEHOLDER,
    FingerprintIndex,
    month_number,
    read_fingerprints,
)
from discogs.schema.entities import Month

MAX = 2**31 - 1
GONE = month_number(Month(2025, 11))
# Dense ids, ids at the edges of words and pages, and ids far from all others.
IDS = st.one_of(
    st.integers(1, 300),
    st.sampled_from([63, 64, 65, 2**14 - 1, 2**14, 2**16 - 1, 2**16, MAX - 1, MAX]),
    st.integers(1, MAX),
)
RECORDS = st.dictionaries(
    IDS,
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.sampled_from([LIVE, PLACEHOLDER, GONE])),
    max_size=60,
)


def made(records: dict[int, tuple[int, int]], packet: int = 7) -> FingerprintIndex:
    rows = [(number, *values) for number, values in sorted(records.items())]
    parts = [rows[at : at + packet] for at in range(0, len(rows), packet)]
    return FingerprintIndex(np.array(part, PACKED) for part in parts)


@given(RECORDS, st.lists(IDS, max_size=60))
def test_what_is_stored_is_found(records: dict[int, tuple[int, int]], others: list[int]) -> None:
    index = made(records)
    asked = np.array([*records, *others], np.int32)

    stored = index.lookup(asked)

    assert len(index) == len(records)
    assert stored.found.tolist() == [number in records for number in asked.tolist()]
    numbers = asked[stored.found].tolist()
    prints, states = stored.fingerprints[stored.found], stored.states[stored.found]
    assert prints.tolist() == [records[number][0] for number in numbers]
    assert states.tolist() == [records[number][1] for number in numbers]


@given(RECORDS)
def test_all_ids_are_given_in_order(records: dict[int, tuple[int, int]]) -> None:
    assert np.concatenate(list(made(records).pages())).tolist() == sorted(records)


def test_twenty_million_records_take_less_than_ten_bytes_each() -> None:
    size, span = 20_000_000, 1_000_000
    rng = np.random.default_rng(1)

    def packets():  # type: ignore[no-untyped-def]
        for start in range(0, size, span):
            packet = np.zeros(span, PACKED)
            # As with releases, somewhat more than half of the ids are in use.
            packet["id"] = 2 * np.arange(start, start + span) + 1
            packet["fingerprint"] = rng.integers(-(2**63), 2**63 - 1, span)
            packet["state"][::50] = GONE
            yield packet

    index = FingerprintIndex(packets())

    assert len(index) == size
    arrays = [each for each in vars(index).values() if isinstance(each, np.ndarray)]
    assert sum(array.nbytes for array in arrays) < 10 * size


@pytest.mark.parametrize("shards", [1, 3])
def test_the_records_of_a_shard_are_read_from_the_database(connect: Connect, shards: int) -> None:
    migrations.migrate(connect, "discogs")
    ids = [*range(1, 40), 499_999, 500_000, 500_001, 1_600_000]
    with connect() as conn:
        for number in ids:
            conn.execute(
                "INSERT INTO labels (id, placeholder, fingerprint, removed_in, last_seen,"
                " dump_month) VALUES (%(id)s, %(id)s %% 5 = 0, %(id)s * 7, %(gone)s, %(last)s,"
                " '2025-10')",
                {
                    "id": number,
                    "gone": "2025-12" if number % 4 == 3 and number % 5 else None,
                    "last": "2025-11" if number % 4 == 3 and number % 5 else None,
                },
            )
        conn.commit()
        parts = [read_fingerprints(conn, "labels", shard, shards) for shard in range(shards)]

    asked = np.array(ids, np.int32)
    for shard, index in enumerate(parts):
        stored = index.lookup(asked)
        mine = asked[stored.found]
        assert mine.tolist() == [number for number in ids if number % shards == shard]
        prints = stored.fingerprints[stored.found]
        assert prints.tolist() == (mine.astype(np.int64) * 7).tolist()
        states = np.where(mine % 5 == 0, PLACEHOLDER, np.where(mine % 4 == 3, GONE, LIVE))
        assert stored.states[stored.found].tolist() == states.tolist()
