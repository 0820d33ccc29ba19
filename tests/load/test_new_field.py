"""A field that is added to the mapping is filled for all records by the next month, once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from discogs.database import migrations
from discogs.database.connection import Connect
from discogs.database.sql_files import folder as sql_folder
from discogs.load.errors import StagingStale
from discogs.load.merge import EntityReport, merge
from discogs.load.stage import stage
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import ARTISTS, MAPPINGS, TABLES
from discogs.schema.model import Field
from tests.conftest import SCHEMA
from tests.dump_files import write_dump
from tests.load.conftest import LENIENT, MONTHS

COUNT = 40
RECORDS = {
    Entity.LABELS: [f"<label><id>{n}</id><name>L{n}</name></label>" for n in range(1, COUNT)],
    Entity.ARTISTS: [
        f"<artist><id>{n}</id><name>A{n}</name><mood>dark {n}</mood></artist>"
        for n in range(1, COUNT)
    ],
}


def staged(connect: Connect, folder: Path, month: Month) -> None:
    """Stage the same records as every month."""
    for entity, records in RECORDS.items():
        path = write_dump(folder, month, entity, *records)
        with path.open("rb") as packed:
            stage(connect, packed, name=path.name, entity=entity, month=month, settings=LENIENT)


def merged(connect: Connect, month: Month) -> dict[Entity, EntityReport]:
    return {
        entity: merge(connect, entity=entity, month=month, settings=LENIENT) for entity in RECORDS
    }


def load(connect: Connect, folder: Path, month: Month) -> dict[Entity, EntityReport]:
    staged(connect, folder, month)
    return merged(connect, month)


@pytest.fixture
def add_field(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Add a field as a new version of the package would: by a migration and a line of the
    mapping."""

    def add() -> None:
        files = Path(shutil.copytree(sql_folder() / "migrations", tmp_path / "migrations"))
        (files / "9999_mood.sql").write_text("ALTER TABLE artists ADD COLUMN mood text;\n")
        migrations.migrate(connect, SCHEMA, files)
        changed = replace(ARTISTS, fields=(*ARTISTS.fields, Field("mood", "mood")))
        monkeypatch.setitem(MAPPINGS, Entity.ARTISTS, changed)
        monkeypatch.setitem(TABLES, Entity.ARTISTS, changed.tables())

    return add


def moods(dsn: str) -> dict[int, str]:
    with psycopg.connect(dsn) as conn:
        return dict(conn.execute("SELECT id, mood FROM discogs.artists").fetchall())


MOODS = {number: f"dark {number}" for number in range(1, COUNT)}


def test_a_new_field_is_filled_for_every_record_by_the_next_month(
    connect: Connect, database: str, tmp_path: Path, add_field: Callable[[], None]
) -> None:
    before = load(connect, tmp_path, MONTHS[0])
    assert {entity: report.inserted for entity, report in before.items()} == dict.fromkeys(
        RECORDS, COUNT - 1
    )

    add_field()
    after = load(connect, tmp_path, MONTHS[1])

    assert (after[Entity.ARTISTS].unchanged, after[Entity.ARTISTS].updated) == (0, COUNT - 1)
    assert after[Entity.LABELS].unchanged == COUNT - 1
    assert moods(database) == MOODS
    later = load(connect, tmp_path, MONTHS[2])
    assert {entity: report.unchanged for entity, report in later.items()} == dict.fromkeys(
        RECORDS, COUNT - 1
    )


@pytest.mark.parametrize("loaded", [[], MONTHS[:1]], ids=["first load", "later month"])
def test_a_month_that_was_staged_before_a_new_field_is_staged_again(
    connect: Connect,
    database: str,
    tmp_path: Path,
    add_field: Callable[[], None],
    loaded: list[Month],
) -> None:
    """Its tables lack the column: a first load's would take the place of those that have it."""
    for month in loaded:
        load(connect, tmp_path, month)
    month = MONTHS[len(loaded)]
    staged(connect, tmp_path, month)

    add_field()

    with pytest.raises(StagingStale, match="tables were altered"):
        merge(connect, entity=Entity.ARTISTS, month=month, settings=LENIENT)
    staged(connect, tmp_path, month)
    merged(connect, month)
    assert moods(database) == MOODS


def test_records_of_an_earlier_seed_are_read_once_and_have_not_changed(
    connect: Connect, database: str, tmp_path: Path
) -> None:
    load(connect, tmp_path, MONTHS[0])
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE discogs.artists SET fingerprint = fingerprint + 1")

    artists = load(connect, tmp_path, MONTHS[1])[Entity.ARTISTS]

    assert (artists.unchanged, artists.updated, artists.same) == (0, 0, COUNT - 1)
    with psycopg.connect(database) as conn:
        feed = conn.execute(
            "SELECT count(*) FROM discogs.entity_changes WHERE year_month = %s", [str(MONTHS[1])]
        ).fetchone()
    assert feed == (0,)
    assert load(connect, tmp_path, MONTHS[2])[Entity.ARTISTS].unchanged == COUNT - 1
