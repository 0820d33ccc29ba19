"""A mirror of an empty folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from discogs.sample.mirror import Mirror


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with Mirror(folder) as mirror:
        connection = json.dumps({"conn_type": "http", "host": mirror.url})
        monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_DUMPS", connection)
        yield mirror
