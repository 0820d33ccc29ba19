"""One look a day, one month a run: the timetable of ``discogs_monthly``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo
from airflow.timetables.trigger import CronPartitionTimetable

from discogs.errors import InvalidMonth, InvalidSetting
from discogs.load.errors import MonthAhead
from discogs.schema.entities import Month
from discogs.settings import variable

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction
    from pendulum import DateTime

KEY_FORMAT = "%Y-%m"


class MonthlyDumpTimetable(CronPartitionTimetable):
    """A look a day for the month, and one for the month before; a backfill makes one run a month.

    Discogs publishes on the 1st, or days later, so every day's run looks for the dump of its
    month; once that month is completed the run ends at its third task. A dump may also come when
    its month is over, or be published again then: so of a day's ticks the last one is for the
    month that it falls in, and any before it for the month before. A partition is a month: its key
    is ``YYYY-MM``, its date the month's first instant in ``timezone``.

    :param cron: when to look; with one tick a day, a month that is over is not looked for.
    :param timezone: where a month begins, and what ``cron`` is read in.
    :param run_immediately: as for :class:`CronPartitionTimetable`.
    """

    def __init__(
        self,
        cron: str = "0 5,6 * * *",
        *,
        timezone: Any = "UTC",
        run_offset: int | None = None,
        run_immediately: bool | dt.timedelta = False,
        key_format: str = KEY_FORMAT,
    ) -> None:
        # run_offset and key_format are what deserialize() passes; a month allows one of each.
        if run_offset:
            raise ValueError(f"run_offset is {run_offset}: a run looks for the month it falls in.")
        if key_format != KEY_FORMAT:
            raise ValueError(f"key_format is {key_format!r}: months are written {KEY_FORMAT!r}.")
        super().__init__(
            cron, timezone=timezone, run_immediately=run_immediately, key_format=key_format
        )
        self.description = f"{self.description}, for the month's dump"

    @property
    def summary(self) -> str:
        """What the Airflow UI shows in place of the bare cron expression."""
        return f"{self._expression} (one month a run)"

    def _first_instant(self, moment: dt.datetime) -> DateTime:
        """The first instant, in UTC, of the month of a moment."""
        local = self.localize_partition_datetime(dt.datetime(moment.year, moment.month, 1))
        return local.in_timezone("UTC")

    def _get_partition_date(self, *, run_date: DateTime) -> DateTime:
        local = run_date.in_timezone(self._timezone)
        following = self._get_next(run_date).in_timezone(self._timezone)
        month = Month(local.year, local.month)
        if following.date() == local.date():
            month = month.plus(-1)
        return self._first_instant(dt.datetime(month.year, month.month, 1))

    def iter_partition_dagrun_infos(
        self, *, earliest: dt.datetime, latest: dt.datetime
    ) -> Iterator[DagRunInfo]:
        """One run for each month whose first instant is from ``earliest`` to ``latest``.

        Both bounds count, and are read as wall-clock times of the timetable's timezone, as the
        parent class does.
        """
        first = self.localize_partition_datetime(earliest)
        last = self.localize_partition_datetime(latest)
        local = first.in_timezone(self._timezone)
        month = Month(local.year, local.month)
        while True:
            begin = self._first_instant(dt.datetime(month.year, month.month, 1))
            if begin > last:
                return
            if begin >= first:
                yield DagRunInfo(
                    run_after=begin,
                    data_interval=None,
                    partition_date=begin,
                    partition_key=str(month),
                )
            month = month.plus(1)

    def _decode_partition_date(self, partition_key: str) -> dt.datetime:
        # strptime would take "2026-7", a second name for the same month.
        try:
            month = Month.parse(partition_key)
        except InvalidMonth as error:
            raise InvalidPartitionKeyError(str(error)) from error
        if month.is_ahead:
            raise InvalidPartitionKeyError(str(MonthAhead(month)))
        return self._first_instant(dt.datetime(month.year, month.month, 1))


class UnscheduledDumpTimetable(MonthlyDumpTimetable):
    """The same months without a schedule: runs come from users and backfills alone."""

    def __init__(self, cron: str = "0 0 1 * *", **kwargs: Any) -> None:
        super().__init__(cron, **kwargs)
        self.description = "Never by itself, for the dump of one month a run"

    @property
    def summary(self) -> str:
        return "off (one month a run)"

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        return None


def timetable(schedule: str) -> MonthlyDumpTimetable:
    """The timetable of a schedule.

    :param schedule: a cron expression, or ``off``.
    :raises InvalidSetting: when it is neither.
    """
    if schedule == "off":
        return UnscheduledDumpTimetable()
    made = MonthlyDumpTimetable(schedule)
    try:
        made.validate()
    except AirflowTimetableInvalid as error:
        expected = f"a cron expression of five fields, or off ({error})"
        raise InvalidSetting(variable("schedule"), schedule, expected) from None
    return made
