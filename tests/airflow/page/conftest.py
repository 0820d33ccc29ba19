"""Months in a real database, and the page's application with Airflow's own authentication."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import SCHEMA, new_database

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from playwright.sync_api import Browser

    from discogs.database.connection import Connect

FIRST, SECOND, THIRD = "2026-05", "2026-06", "2026-07"


@pytest.fixture(scope="session")
def loaded_template(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a database with two loaded months, to be copied."""
    from discogs.database.connection import connector
    from discogs.load.folder import load_folder
    from discogs.schema.entities import Month
    from discogs.settings import Settings
    from tests.sample.odd_records import write_months

    folder = tmp_path_factory.mktemp("page-dumps")
    settings = replace(Settings(), max_shrink=0.5, max_rejected=0.5, workers=2)
    write_months(folder, Month.parse(FIRST), months=2, releases=300, seed=7)
    with new_database(server, template=migrated_template) as dsn:
        for month in (FIRST, SECOND):
            load_folder(connector(dsn, SCHEMA), folder, Month.parse(month), settings, run_id="test")
        yield str(conninfo_to_dict(dsn)["dbname"])


@pytest.fixture
def database(server: str, loaded_template: str) -> Iterator[str]:
    """The DSN of the test's own database, with two loaded months."""
    with new_database(server, template=loaded_template) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def _metadata() -> None:
    """Airflow's own tables, which its security looks into."""
    from docs.page import create_airflows_tables

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        import fastapi.testclient  # noqa: F401
    create_airflows_tables()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium: Debian's."""
    from playwright.sync_api import sync_playwright

    from docs.page import CHROMIUM

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def client(
    _metadata: None, target: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of the page, mounted as Airflow mounts it: for a role, or for nobody."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from discogs.airflow.page.app import page_app

    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "s" * 64)
    manager, airflow = create_auth_manager(), FastAPI()
    airflow.mount("/discogs", page_app())

    def make(role: str | None = "VIEWER") -> TestClient:
        """:param role: of the simple auth manager; "" for a user without any."""
        headers = {}
        if role is not None:
            user = SimpleAuthManagerUser(username="someone", role=role or None)
            headers = {"Authorization": f"Bearer {manager.generate_jwt(user)}"}
        return TestClient(airflow, "http://testserver/discogs/", headers=headers)

    return make


@pytest.fixture
def connect(database: str) -> Connect:
    from discogs.database.connection import connector

    return connector(database, SCHEMA)
