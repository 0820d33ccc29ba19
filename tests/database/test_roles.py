"""The privileges of roles: one that loads, and one that only reads."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from discogs.database.compat import write_compat
from discogs.database.connection import Connect, connector
from discogs.database.errors import DatabaseError
from discogs.database.roles import grant_read
from discogs.schema.entities import Entity, Month
from tests.cli.conftest import command, environment
from tests.conftest import SCHEMA
from tests.dump_files import write_dump
from tests.load.conftest import load

ROOT = Path(__file__).resolve().parents[2]
JUNE, JULY = Month(2026, 6), Month(2026, 7)


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """A name of its own, since roles belong to the whole server."""
    with psycopg.connect(database, autocommit=True) as conn:
        name = conn.info.dbname + "_reader"
        yield name
        if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def reading(database: str, role: str) -> Callable[[str], list[tuple[object, ...]]]:
    def run(query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(database, options=f"-c role={role} -c search_path={SCHEMA}") as conn:
            return conn.execute(query.encode()).fetchall()

    return run


def test_the_role_reads_everything_after_every_load_and_writes_nothing(
    database: str, connect: Connect, role: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        command("grant", role, "--dsn", database),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"GRANT {role} TO somebody;" in done.stdout
    read = reading(database, role)
    for month in (JUNE, JULY):
        write_dump(
            tmp_path, month, Entity.RELEASES, f'<release id="1"><title>{month}</title></release>'
        )
        load(database, tmp_path, month)
        assert read("SELECT title FROM live_releases") == [(str(month),)]
        assert read("SELECT count(*) FROM live_release_tracks") == [(0,)]
    assert read("SELECT count(*) FROM entity_changes") == [(1,)]
    with connect() as conn:
        conn.execute("CREATE TABLE later (id int)")
    assert read("SELECT count(*) FROM later") == [(0,)]
    for query in (
        "DELETE FROM releases RETURNING id",
        "SELECT * FROM discogs_staging.releases_2026_06",
        "CREATE TABLE mine (id int)",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
            read(query)


def test_granting_twice_and_to_an_existing_role(database: str, connect: Connect, role: str) -> None:
    with connect() as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    assert grant_read(connect, SCHEMA, role) is False
    assert grant_read(connect, SCHEMA, role) is False
    assert reading(database, role)("SELECT count(*) FROM artists") == [(0,)]


def test_a_schema_that_is_not_there_is_named(connect: Connect, role: str) -> None:
    with pytest.raises(DatabaseError, match="no schema other"):
        grant_read(connect, "other", role)


def test_a_role_that_may_not_create_roles_is_given_the_statement(
    database: str, connect: Connect, role: str
) -> None:
    with connect() as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        conn.execute(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role}".encode())
    limited = connector(make_conninfo(database, options=f"-crole={role}"), SCHEMA)
    with pytest.raises(DatabaseError, match=rf'{role} may not .* CREATE ROLE "{role}_2" NO'):
        grant_read(limited, SCHEMA, f"{role}_2")


def test_the_documented_rights_are_enough_for_a_load_an_update_and_a_reader(
    database: str, role: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    documented = page.partition("<!-- rights -->")[2].partition("<!-- /rights -->")[0]
    with psycopg.connect(database, autocommit=True) as conn:
        name, reader = conn.info.dbname, f"{role}_of"
        for object_ in (f"DATABASE {name}", "SCHEMA public"):
            conn.execute(f"REVOKE ALL ON {object_} FROM PUBLIC".encode())
        wanted = documented.replace("DATABASE discogs", f"DATABASE {name}")
        for statement in re.findall(r"^[A-Z].*;$", wanted, re.MULTILINE):
            if not statement.startswith("CREATE DATABASE"):  # there is one, also in UTF8
                conn.execute(statement.replace("discogs_load", role).encode())
        # Of the table below: what other commands need.
        conn.execute(f"CREATE ROLE {reader}; CREATE SCHEMA discogs_xml2db AUTHORIZATION {role}")
    try:
        limited = make_conninfo(database, options=f"-crole={role}")
        for month in (JUNE, JULY):
            release = f'<release id="1"><title>{month}</title></release>'
            write_dump(tmp_path, month, Entity.RELEASES, release)
            load(limited, tmp_path, month, search=True)
        connect = connector(limited, SCHEMA)
        write_compat(connect, SCHEMA, "discogs-xml2db")
        grant_read(connect, SCHEMA, reader)
        assert reading(database, reader)("SELECT title FROM live_releases") == [(str(JULY),)]
        assert reading(database, reader)("SELECT title FROM discogs_xml2db.release") != []
    finally:
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}")
