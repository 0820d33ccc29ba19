from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from discogs.tracking.postgres import PostgresMonthRepository
from tests.tracking.memory import InMemoryMonthRepository

if TYPE_CHECKING:
    from discogs.tracking.repository import MonthRepository


@pytest.fixture(params=["memory", "postgres"])
def repository(request: pytest.FixtureRequest) -> MonthRepository:
    """Each implementation in turn: one contract holds for both."""
    if request.param == "memory":
        return InMemoryMonthRepository()
    return PostgresMonthRepository(request.getfixturevalue("connect"))
