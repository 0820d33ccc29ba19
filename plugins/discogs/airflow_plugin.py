"""What Airflow's plugin manager loads, and all that it loads.

Airflow imports every module below ``plugins/`` under its bare name, where ``copy.py`` would
stand in for the standard library's ``copy``; ``.airflowignore`` leaves it this file alone.
Everything else is imported as ``discogs.…``, since ``plugins/`` is on ``sys.path``.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from discogs.airflow import listeners
from discogs.airflow.timetables import MonthlyDumpTimetable, UnscheduledDumpTimetable


class DiscogsPlugin(AirflowPlugin):
    """Registers the timetables, without which a serialized DAG cannot be read back, and the
    listeners of a run's end."""

    name = "discogs"
    # The types that the parent class declares.
    timetables = [MonthlyDumpTimetable, UnscheduledDumpTimetable]  # noqa: RUF012
    listeners = [listeners]  # noqa: RUF012
