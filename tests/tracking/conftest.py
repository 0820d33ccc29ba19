from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from discogs.tracking.postgres import PostgresMonthRepository

if TYPE_CHECKING:
    from discogs.database.connection import Connect


@pytest.fixture
def repository(connect: Connect) -> PostgresMonthRepository:
    return PostgresMonthRepository(connect)
