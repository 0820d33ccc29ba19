"""The change feed of months that are not loaded in chronological order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.content import digests
from tests.load.conftest import MONTHS, load
from tests.load.test_rejected import feed, write

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]


def release(number: int, title: str = "A") -> bytes:
    return b'<release id="%d"><title>%b</title></release>' % (number, title.encode())


@pytest.fixture
def months(tmp_path: Path) -> Path:
    write(tmp_path, MONTHS[0], release(1), release(2), release(3), release(6))
    write(tmp_path, MONTHS[1], release(1), release(3, "B"), release(4), release(6, "B"))
    write(tmp_path, MONTHS[2], release(1), release(3, "B"), release(5))
    return tmp_path


def test_the_feed_has_the_changes_of_each_months_load(months: Path, fresh: Fresh) -> None:
    in_order, late = fresh(), fresh()
    for number in (0, 1, 2):
        load(in_order, months, MONTHS[number])
    for number in (2, 0, 1):
        load(late, months, MONTHS[number])
    assert [feed(in_order, month) for month in MONTHS] == [
        {},
        {2: "removed", 3: "changed", 4: "added", 6: "changed"},
        {4: "removed", 5: "added", 6: "removed"},
    ]
    assert [feed(late, month) for month in MONTHS] == [
        {2: "added", 6: "added"},
        {4: "added", 6: "changed"},
        {},
    ]
    assert digests(in_order) == digests(late)
