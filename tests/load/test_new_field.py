"""A field that is added to the mapping reaches every record with the next month, and once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from discogs.database import migrations
from discogs.database.connection import Connect
from discogs.database.sql_files import folder as sql_folder
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


def load(connect: Connect, folder: Path, month: Month) -> dict[Entity, EntityReport]:
    """Stage and merge the same records as every month."""
    reports = {}
    for entity, records in RECORDS.items():
        path = write_dump(folder, month, entity, *records)
        with path.open("rb") as packed:
            stage(connect, packed, name=path.name, entity=entity, month=month, settings=LENIENT)
        reports[entity] = merge(connect, entity=entity, month=month, settings=LENIENT)
    return reports


def test_a_new_field_is_filled_for_every_record_by_the_next_month(
    connect: Connect, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(connect, tmp_path, MONTHS[0])
    assert {entity: report.inserted for entity, report in before.items()} == dict.fromkeys(
        RECORDS, COUNT - 1
    )

    # What a release of the package with a new field brings: a migration and a line of the mapping.
    files = Path(shutil.copytree(sql_folder() / "migrations", tmp_path / "migrations"))
    (files / "9999_mood.sql").write_text("ALTER TABLE artists ADD COLUMN mood text;\n")
    migrations.migrate(connect, SCHEMA, files)
    changed = replace(ARTISTS, fields=(*ARTISTS.fields, Field("mood", "mood")))
    monkeypatch.setitem(MAPPINGS, Entity.ARTISTS, changed)
    monkeypatch.setitem(TABLES, Entity.ARTISTS, changed.tables())

    after = load(connect, tmp_path, MONTHS[1])
    assert (after[Entity.ARTISTS].unchanged, after[Entity.ARTISTS].updated) == (0, COUNT - 1)
    assert after[Entity.LABELS].unchanged == COUNT - 1
    with psycopg.connect(database) as conn:
        moods = conn.execute("SELECT id, mood FROM discogs.artists").fetchall()
    assert dict(moods) == {number: f"dark {number}" for number in range(1, COUNT)}

    later = load(connect, tmp_path, MONTHS[2])
    assert {entity: report.unchanged for entity, report in later.items()} == dict.fromkeys(
        RECORDS, COUNT - 1
    )


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
