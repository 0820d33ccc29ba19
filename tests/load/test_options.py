"""The month of a run, and its options."""

from __future__ import annotations

import datetime as dt

import pytest

from discogs.errors import InvalidMonth
from discogs.load.errors import MonthMismatch
from discogs.load.options import RunOptions, resolve_month
from discogs.schema.entities import Entity, Month

TICK = dt.datetime(2026, 8, 31, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-2)))


def test_the_month_is_that_of_the_partition_key() -> None:
    assert resolve_month(partition_key="2026-05", year_month=None, run_after=TICK) == Month(2026, 5)


def test_without_a_key_the_month_is_that_of_the_parameter() -> None:
    assert resolve_month(partition_key=None, year_month="2026-04", run_after=TICK) == Month(2026, 4)


def test_else_the_month_is_that_of_the_runs_start_in_utc() -> None:
    assert resolve_month(partition_key=None, year_month="", run_after=TICK) == Month(2026, 9)


def test_two_months_are_refused() -> None:
    with pytest.raises(MonthMismatch, match=r"2026-05.*2026-04"):
        resolve_month(partition_key="2026-05", year_month="2026-04", run_after=TICK)
    assert resolve_month(partition_key="2026-05", year_month="2026-05", run_after=TICK) == Month(
        2026, 5
    )


@pytest.mark.parametrize("wrong", ["2026-13", "2026", "x"])
def test_a_key_that_is_not_a_month_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidMonth):
        resolve_month(partition_key=wrong, year_month=None, run_after=TICK)


def test_options_read_from_json_have_the_entities_in_order() -> None:
    plan = RunOptions(month=Month(2026, 5), shards=4, force=True, filter="releases:year=1970")
    values = plan.as_dict()
    values["entities"] = ["releases", "labels"]

    again = RunOptions.from_dict(values)

    assert RunOptions.from_dict(plan.as_dict()) == plan
    assert again.entities == (Entity.LABELS, Entity.RELEASES)
