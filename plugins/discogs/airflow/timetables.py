"""The timetables of ``discogs_monthly``: daily runs, or none; each run is for one month."""

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
    """Daily runs for the current and the previous month; a backfill creates one run per month.

    Discogs publishes on the 1st or some days later, so each day's run looks for the dump of the
    current month; once that month is completed, the run ends at its third task. A dump may also be
    published, or published again, after its month is over. So the last tick of a day is for the
    month that the day is in, and any earlier tick is for the month before. A partition is a month:
    its key is ``YYYY-MM``, its date the month's first instant in ``timezone``.

    :param cron: when to run; with one tick a day, no run is for the month before.
    :param timezone: timezone of ``cron`` and of the months.
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
        # deserialize() passes run_offset and key_format; a month allows only one value of each.
        if run_offset:
            raise ValueError(f"run_offset is {run_offset}: it must be 0, one run is for one month.")
        if key_format != KEY_FORMAT:
            raise ValueError(f"key_format is {key_format!r}: it must be {KEY_FORMAT!r}.")
        super().__init__(
            cron, timezone=timezone, run_immediately=run_immediately, key_format=key_format
        )
        self.description = f"{self.description}, for the month's dump"

    @property
    def summary(self) -> str:
        """What the Airflow UI shows in place of the bare cron expression."""
        return f"{self._expression} (one month per run)"

    def _first_instant(self, moment: dt.datetime) -> DateTime:
        """The first instant of a moment's month, in UTC."""
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

        Both bounds are inclusive, and are wall-clock times in the timetable's timezone, as in the
        parent class.
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
    """The same months without a schedule: only users and backfills create runs."""

    def __init__(self, cron: str = "0 0 1 * *", **kwargs: Any) -> None:
        super().__init__(cron, **kwargs)
        self.description = "Not scheduled; each run is for one month's dump"

    @property
    def summary(self) -> str:
        return "off (one month per run)"

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
