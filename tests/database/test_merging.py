from __future__ import annotations

import pytest

from discogs.database.merging import MonthNeighbours
from discogs.schema.entities import Month

APRIL, MAY, JUNE, JULY, AUGUST = (Month(2026, number) for number in range(4, 9))


@pytest.mark.parametrize(
    ("merged", "unsure", "expected"),
    [
        ([], [], MonthNeighbours(JUNE, None, None, first=True, newest=True)),
        ([JUNE], [], MonthNeighbours(JUNE, None, None, first=False, newest=True)),
        ([APRIL, MAY, JUNE], [MAY], MonthNeighbours(JUNE, MAY, None, first=False, newest=True)),
        ([AUGUST, JULY], [], MonthNeighbours(JUNE, None, JULY, first=False, newest=False)),
        (
            [MAY, JULY, AUGUST],
            [JULY],
            MonthNeighbours(JUNE, MAY, AUGUST, first=False, newest=False),
        ),
        ([JULY], [JULY], MonthNeighbours(JUNE, None, None, first=False, newest=False)),
    ],
)
def test_a_months_neighbours_are_the_nearest_other_merged_months(
    merged: list[Month], unsure: list[Month], expected: MonthNeighbours
) -> None:
    assert MonthNeighbours.among(JUNE, merged, unsure) == expected
