"""What Airflow's plugin manager loads, and all that it loads.

Airflow imports every module below ``plugins/`` under its bare name, where ``copy.py`` would
stand in for the standard library's ``copy``; ``.airflowignore`` leaves it this file alone.
Everything else is imported as ``discogs.…``, since ``plugins/`` is on ``sys.path``.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from discogs.airflow import listeners
from discogs.airflow.timetables import MonthlyDumpTimetable, UnscheduledDumpTimetable


class DiscogsPlugin(AirflowPlugin):
    """Registers the timetables, without which a serialized DAG cannot be read back, the listeners
    of a run's end, and the Discogs page."""

    name = "discogs"
    # The types that the parent class declares.
    timetables = [MonthlyDumpTimetable, UnscheduledDumpTimetable]  # noqa: RUF012
    listeners = [listeners]  # noqa: RUF012
    # Relative, so that they follow the path of [api] base_url. A view for DAGs is on every DAG's
    # page, and says there which DAG it is about.
    external_views = [  # noqa: RUF012
        {
            "name": "Discogs",
            "href": "discogs/",
            "destination": "nav",
            "url_route": "discogs",
            "icon": "discogs/static/icon.svg",
            "icon_dark_mode": "discogs/static/icon-dark.svg",
            "nav_top_level": True,
        },
        {
            "name": "Discogs months",
            "href": "discogs/?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "discogs-months",
        },
        {
            "name": "Discogs month",
            "href": "discogs/?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "discogs-month",
        },
    ]

    @property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """The page's application; only an api-server asks, so only it imports what it needs."""
        from discogs.airflow.page.app import page_app

        return [{"name": "Discogs", "app": page_app(), "url_prefix": "/discogs"}]
