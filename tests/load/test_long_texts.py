"""A text of the dump may be of any length."""

from __future__ import annotations

import random
from pathlib import Path

import psycopg
import pytest

from discogs.database.connection import Connect
from discogs.schema.entities import Entity
from discogs.schema.mapping import TABLES
from tests.dump_files import write_dump
from tests.load.conftest import FIRST, load

# Random, since PostgreSQL compresses repetitions.
LONG = random.Random(1).randbytes(10_000).hex()


def release(name: str) -> str:
    return (
        f'<release id="1"><title>One</title><genres><genre>{name}</genre></genres>'
        f"<styles><style>{name}</style></styles></release>"
    )


@pytest.mark.parametrize("merged", [False, True], ids=["first load", "merge"])
def test_genres_and_styles_may_have_names_of_any_length(
    database: str, connect: Connect, tmp_path: Path, merged: bool
) -> None:
    if merged:
        write_dump(tmp_path, FIRST, Entity.RELEASES, release("Rock"))
        load(database, tmp_path, FIRST)
    month = FIRST.plus(1)
    write_dump(tmp_path, month, Entity.RELEASES, release(LONG))
    load(database, tmp_path, month)
    with psycopg.connect(database) as conn:
        for kind in ("genres", "styles"):
            assert conn.execute(f"SELECT name FROM discogs.{kind}").fetchall() == [(LONG,)]


def test_no_index_is_on_a_text_of_the_dump(connect: Connect) -> None:
    tables = {table.name for tables in TABLES.values() for table in tables.all}
    tables |= {name for tables in TABLES.values() for name in tables.names_tables}
    with connect() as conn:
        rows = conn.execute(
            "SELECT x.indexrelid::regclass::text, a.attname"
            " FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (x.indkey)"
            " WHERE t.relname = ANY (%s) AND a.atttypid IN ('text'::regtype, 'text[]'::regtype)",
            [sorted(tables)],
        ).fetchall()
    # The load writes months into removed_in.
    assert [row for row in rows if row[1] != "removed_in"] == []
