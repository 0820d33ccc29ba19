"""The only module that Airflow's plugin manager loads.

Airflow would import every module below ``plugins/`` under its bare name, where a ``progress.py``
could shadow another module; ``.airflowignore`` excludes all but this file. Everything else is
imported as ``discogs.…``, since ``plugins/`` is on ``sys.path``.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from discogs.airflow import listeners
from discogs.airflow.timetables import MonthlyDumpTimetable, UnscheduledDumpTimetable


class DiscogsPlugin(AirflowPlugin):
    """Registers the timetables, which Airflow needs to deserialize the DAG, the DAG-run listeners,
    and the Discogs page."""

    name = "discogs"
    # The types that the parent class declares.
    timetables = [MonthlyDumpTimetable, UnscheduledDumpTimetable]  # noqa: RUF012
    listeners = [listeners]  # noqa: RUF012
    # Relative addresses, so that they follow the path of [api] base_url. Airflow shows a view for
    # DAGs on the page of every DAG, also of others; the view then names the DAG that it shows.
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
        """The page's application; imported here, since only the api-server reads this property."""
        from discogs.airflow.page.app import page_app

        return [{"name": "Discogs", "app": page_app(), "url_prefix": "/discogs"}]
