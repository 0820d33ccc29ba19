"""A first load leaves in place whatever a user has set up on the empty tables."""

from __future__ import annotations

from pathlib import Path

import psycopg

from discogs.schema.entities import Entity
from tests.dump_files import write_dump
from tests.load.conftest import FIRST, load

RELEASE = '<release id="1"><title>One</title></release>'


def test_a_users_table_named_like_the_packages_own_keeps_its_reference(
    database: str, connect: object, tmp_path: Path
) -> None:
    write_dump(tmp_path, FIRST, Entity.RELEASES, RELEASE)
    with psycopg.connect(database) as conn:
        conn.execute(
            "CREATE TABLE discogs.release_notes"
            " (release_id integer REFERENCES discogs.releases, note text)"
        )
    (report,) = load(database, tmp_path, FIRST).entities
    assert not report.first_load
    with psycopg.connect(database) as conn:
        conn.execute("INSERT INTO discogs.release_notes VALUES (1, 'mine')")
