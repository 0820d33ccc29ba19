from __future__ import annotations

import pytest

from discogs.tracking.model import Status
from discogs.tracking.transitions import LEGAL


def test_every_status_has_its_legal_moves() -> None:
    assert set(LEGAL) == set(Status)


@pytest.mark.parametrize("status", Status)
def test_completion_is_within_reach_of_every_status(status: Status) -> None:
    reached, ahead = set(), {status}
    while ahead:
        reached |= ahead
        ahead = set().union(*(LEGAL[one] for one in ahead)) - reached
    assert Status.COMPLETED in reached


def test_nothing_goes_back_to_not_started() -> None:
    assert not any(Status.NOT_STARTED in moves for moves in LEGAL.values())


def test_every_other_status_can_fail() -> None:
    assert all(Status.FAILED in LEGAL[status] for status in Status if status != Status.FAILED)
