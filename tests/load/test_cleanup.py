"""Left-over staging tables go; those that a month still needs stay."""

from __future__ import annotations

from pathlib import Path

from discogs.database.connection import Connect
from discogs.load.merge import discard_staging
from discogs.load.stage import stage
from discogs.schema.entities import Entity
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
