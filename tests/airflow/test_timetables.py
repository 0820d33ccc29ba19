"""The timetable: ticks, backfills, and what the scheduler stores of it."""

from __future__ import annotations

import datetime as dt

import pendulum
import pytest
from airflow.exceptions import InvalidPartitionKeyError
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DagRunInfo, TimeRestriction

from discogs.airflow.timetables import MonthlyDumpTimetable, timetable
from discogs.errors import InvalidSetting
from discogs.schema.entities import Month

CATCHUP = TimeRestriction(earliest=pendulum.datetime(2026, 1, 30), latest=None, catchup=True)


def ticks(timetable: MonthlyDumpTimetable, count: int) -> list[DagRunInfo]:
    found: list[DagRunInfo] = []
    for _ in range(count):
        info = timetable.next_dagrun_info_v2(
            last_dagrun_info=found[-1] if found else None, restriction=CATCHUP
        )
        assert info is not None
        found.append(info)
    return found


def months(timetable: MonthlyDumpTimetable, first: dt.datetime, last: dt.datetime) -> list[str]:
    infos = timetable.iter_partition_dagrun_infos(earliest=first, latest=last)
    return [str(info.partition_key) for info in infos]


def test_every_day_has_a_run_for_the_month_and_one_for_the_month_before() -> None:
    found = ticks(MonthlyDumpTimetable(), 6)

    assert [(str(tick.run_after)[:16], tick.partition_key) for tick in found] == [
        ("2026-01-30 05:00", "2025-12"),
        ("2026-01-30 06:00", "2026-01"),
        ("2026-01-31 05:00", "2025-12"),
        ("2026-01-31 06:00", "2026-01"),
        ("2026-02-01 05:00", "2026-01"),
        ("2026-02-01 06:00", "2026-02"),
    ]
    assert found[1].partition_date == found[4].partition_date == pendulum.datetime(2026, 1, 1)


def test_with_one_tick_a_day_each_is_for_its_month() -> None:
    found = ticks(MonthlyDumpTimetable("0 6 * * *"), 4)

    assert [str(tick.run_after)[:16] for tick in found] == [
        "2026-01-30 06:00",
        "2026-01-31 06:00",
        "2026-02-01 06:00",
        "2026-02-02 06:00",
    ]
    assert [tick.partition_key for tick in found] == ["2026-01", "2026-01", "2026-02", "2026-02"]
    assert found[0].partition_date == found[1].partition_date == pendulum.datetime(2026, 1, 1)


def test_without_catchup_only_the_last_tick_counts() -> None:
    info = MonthlyDumpTimetable().next_dagrun_info_v2(
        last_dagrun_info=None,
        restriction=TimeRestriction(
            earliest=pendulum.datetime(2020, 1, 1), latest=None, catchup=False
        ),
    )

    assert info is not None
    assert pendulum.now("UTC") - info.run_after < pendulum.duration(days=1, minutes=1)
    assert info.partition_key in {
        str(Month.of(info.run_after)),
        str(Month.of(info.run_after).plus(-1)),
    }


def test_a_backfill_creates_one_run_per_month_with_both_ends_included() -> None:
    timetable = MonthlyDumpTimetable()
    infos = list(
        timetable.iter_partition_dagrun_infos(
            earliest=pendulum.datetime(2025, 11, 1), latest=pendulum.datetime(2026, 2, 1)
        )
    )

    assert [info.partition_key for info in infos] == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert infos[1].run_after == infos[1].partition_date == pendulum.datetime(2025, 12, 1)
    assert infos[1].data_interval is None


def test_a_backfill_leaves_out_a_month_that_began_before_it() -> None:
    first, last = pendulum.datetime(2025, 11, 2), pendulum.datetime(2026, 1, 31)

    assert months(MonthlyDumpTimetable(), first, last) == ["2025-12", "2026-01"]


def test_months_begin_in_the_timetables_timezone() -> None:
    timetable = MonthlyDumpTimetable("30 0 * * *", timezone="Asia/Tokyo")
    info = timetable.next_dagrun_info_v2(
        last_dagrun_info=None,
        restriction=TimeRestriction(
            earliest=pendulum.datetime(2026, 1, 31, 12), latest=None, catchup=True
        ),
    )

    assert info is not None
    assert str(info.run_after) == "2026-01-31 15:30:00+00:00"  # 00:30 on the 1st in Tokyo
    assert info.partition_key == "2026-02"
    assert str(info.partition_date) == "2026-01-31 15:00:00+00:00"
    assert months(timetable, pendulum.datetime(2026, 2, 1), pendulum.datetime(2026, 2, 1)) == [
        "2026-02"
    ]


def test_a_month_has_only_one_partition_key() -> None:
    timetable = MonthlyDumpTimetable()

    assert timetable.resolve_partition_date("2026-07") == pendulum.datetime(2026, 7, 1)
    for wrong in ("2026-7", "2026-13", "202607", "2026-07-01", "july"):
        with pytest.raises(InvalidPartitionKeyError, match="YYYY-MM"):
            timetable.resolve_partition_date(wrong)


def test_a_month_that_has_not_begun_is_refused() -> None:
    now = Month.of(dt.datetime.now(dt.timezone.utc).date())
    timetable = MonthlyDumpTimetable()

    assert timetable.resolve_partition_date(str(now)) is not None
    for ahead in (str(now.plus(2)), "2099-01"):
        with pytest.raises(InvalidPartitionKeyError, match=f"{ahead} has not begun"):
            timetable.resolve_partition_date(ahead)


def test_the_summary_says_that_a_run_is_for_one_month() -> None:
    assert MonthlyDumpTimetable("0 7 * * *").summary == "0 7 * * * (one month per run)"


def test_the_scheduler_reads_back_what_it_stored() -> None:
    timetable = MonthlyDumpTimetable("15 7 * * *", timezone="Europe/Berlin", run_immediately=True)

    again = decode_timetable(encode_timetable(timetable))

    assert isinstance(again, MonthlyDumpTimetable)
    assert again.serialize() == timetable.serialize()
    assert ticks(again, 3) == ticks(timetable, 3)


@pytest.mark.parametrize("option", [{"run_offset": 1}, {"key_format": "%Y-%m-%d"}])
def test_options_other_than_one_month_per_run_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        MonthlyDumpTimetable(**option)  # type: ignore[arg-type]


def test_without_a_schedule_months_can_still_be_backfilled() -> None:
    off = timetable("off")
    again = decode_timetable(encode_timetable(off))

    for each in (off, again):
        assert isinstance(each, MonthlyDumpTimetable)
        assert each.partitioned
        assert each.next_dagrun_info_v2(last_dagrun_info=None, restriction=CATCHUP) is None
        assert months(each, pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 3, 1)) == [
            "2026-01",
            "2026-02",
            "2026-03",
        ]
    assert off.summary == "off (one month per run)"
    assert timetable("0 7 * * *").summary == "0 7 * * * (one month per run)"


def test_an_invalid_cron_expression_is_reported_with_its_setting() -> None:
    with pytest.raises(InvalidSetting, match=r"DISCOGS_SCHEDULE is '99 5 \* \* \*'.*out of range"):
        timetable("99 5 * * *")
