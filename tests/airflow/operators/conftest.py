"""A mirror with one month, and the tracking rows of a database of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.sample.mirror import Mirror
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.operators.steps import MONTH
from tests.sample.odd_records import write_months


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    write_months(folder, MONTH, releases=200, seed=3)
    return folder


@pytest.fixture
def mirror(folder: Path) -> Iterator[Mirror]:
    with Mirror(folder) as mirror:
        yield mirror


@pytest.fixture
def repository(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    target: dict[str, object],
    connect: Connect,
    mirror: Mirror,
) -> PostgresMonthRepository:
    """The tracking rows of the database of the connection ``discogs_postgres``."""
    dumps = {"conn_type": "http", "host": mirror.url}
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_DUMPS", json.dumps(dumps))
    monkeypatch.setenv("DISCOGS_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("DISCOGS_DISK_MARGIN", "0")
    monkeypatch.setenv("DISCOGS_WORKERS", "1")
    return PostgresMonthRepository(connect)
