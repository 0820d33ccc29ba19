"""Serves the Discogs page without the rest of Airflow, for screenshots, benchmarks and tests.

It uses Airflow's own authentication, with Airflow's tables in the SQLite database of AIRFLOW_HOME.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

#: Debian's Chromium, since playwright's own is not available everywhere.
CHROMIUM = "/usr/bin/chromium"
_SECRET = "s" * 64  # of a short-lived local server


@dataclass(frozen=True)
class Served:
    """A served page.

    :param url: ends in ``/discogs/``.
    :param token: token of a user who may read everything.
    """

    url: str
    token: str

    def context(
        self, browser: Browser, *, theme: str = "light", width: int = 1300
    ) -> BrowserContext:
        """A browser context in which that user is logged in."""
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 900},
            color_scheme="dark" if theme == "dark" else "light",
            device_scale_factor=1,
        )
        cookie = {"name": "_token", "value": self.token, "url": self.url}
        context.add_cookies([cookie])  # type: ignore[list-item]
        return context


def environment(dsn: str) -> dict[str, str]:
    """The environment variables with which Airflow finds the database."""
    parts = conninfo_to_dict(dsn)
    connection = {
        "conn_type": "postgres",
        "host": parts.get("host", "localhost"),
        "port": int(parts.get("port") or 5432),
        "login": parts.get("user", "postgres"),
        "password": parts.get("password", ""),
        "schema": parts["dbname"],
    }
    return {
        "AIRFLOW_CONN_DISCOGS_POSTGRES": json.dumps(connection),
        "AIRFLOW__API_AUTH__JWT_SECRET": _SECRET,
    }


def create_airflows_tables() -> None:
    """Create the tables that Airflow's security reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own, at its import
        import airflow.api_fastapi.core_api.security  # noqa: F401
        from airflow.models.base import Base

        from airflow import models, settings

        models.import_all_models()  # type: ignore[no-untyped-call]
        settings.configure_orm()  # type: ignore[no-untyped-call]
        Base.metadata.create_all(settings.get_engine())  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def served(dsn: str, path: str = "") -> Iterator[Served]:
    """Serve the page of a database.

    :param path: path of Airflow's ``[api] base_url``, such as ``/airflow``.
    """
    create_airflows_tables()
    import uvicorn
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI

    from demo.environment import free_port
    from discogs.airflow.page.app import page_app

    os.environ.update(environment(dsn))
    user = SimpleAuthManagerUser(username="viewer", role="VIEWER")
    token = create_auth_manager().generate_jwt(user)
    app, port = FastAPI(), free_port()
    app.mount(f"{path}/discogs", page_app())
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield Served(f"http://127.0.0.1:{port}{path}/discogs/", token)
    finally:
        server.should_exit = True
        thread.join(10)
