"""Left-over staging tables are dropped; those that a month still needs are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from discogs.database.connection import Connect, connector
from discogs.database.errors import NotMigrated
from discogs.load.merge import discard_staging, merge, month_report
from discogs.load.stage import stage
from discogs.schema.entities import Entity
from tests.conftest import SCHEMA
from tests.content import dump_file, staging_tables
from tests.load.conftest import LENIENT, MONTHS


def test_staging_tables_that_no_month_needs_are_dropped(
    dumps: Path, connect: Connect, database: str
) -> None:
    for month in MONTHS[:2]:
        path = dump_file(dumps, "labels", str(month))
        with path.open("rb") as packed:
            stage(
                connect,
                packed,
                name=path.name,
                entity=Entity.LABELS,
                month=month,
                settings=LENIENT,
            )
    both = staging_tables(database)
    dropped = discard_staging(connect, LENIENT, needed=[MONTHS[1]])
    assert dropped
    left = staging_tables(database)
    assert sorted(dropped + left) == sorted(both)
    assert all(name.endswith("2026_06") for name in left)
    with connect() as conn:
        assert conn.execute("SELECT DISTINCT year_month FROM staged_shards").fetchall() == [
            (str(MONTHS[1]),)
        ]


def test_a_database_without_tables_is_explained(database: str) -> None:
    connect = connector(database, SCHEMA)
    with connect() as conn:
        conn.execute("CREATE SCHEMA discogs_staging")
        conn.execute("CREATE TABLE discogs_staging.labels_2026_05 ()")
        conn.commit()
    for call in (
        lambda: merge(connect, entity=Entity.LABELS, month=MONTHS[0], settings=LENIENT),
        lambda: discard_staging(connect, LENIENT, needed=[]),
        lambda: month_report(connect, Entity.LABELS, MONTHS[0]),
    ):
        with pytest.raises(NotMigrated, match="python -m discogs migrate"):
            call()
