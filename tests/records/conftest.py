from __future__ import annotations

from typing import Any

import pytest

from tests.records.reading import LXML, PARSERS


@pytest.fixture(params=[PARSERS, LXML], ids=["fast", "careful"])
def engine(request: pytest.FixtureRequest) -> Any:
    """Each of the two parsers in turn."""
    return request.param
