"""A load sets the settings that it relies on, whatever the role, database or environment set."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from discogs.database.connection import connector, prepare
from discogs.database.errors import DatabaseError
from discogs.database.migrations import migrate
from discogs.load.folder import load_folder
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from tests.conftest import SCHEMA, new_database
from tests.content import digests
from tests.dump_files import write_dump

pytestmark = pytest.mark.slow

JUNE, JULY = Month(2026, 6), Month(2026, 7)
NAME = "Zoë Müller 東京"
LABEL = f"<label><id>1</id><name>{NAME}</name></label>"
ARTIST = (
    f"<artist><id>1</id><name>{NAME}</name>"
    f"<namevariations><name>{NAME}</name></namevariations></artist>"
)
RELEASE = f'<release id="1"><title>{NAME}</title><released>1999-12-31</released></release>'

#: Settings that differ as much as possible from those that a load expects.
HOSTILE = {
    "client_encoding": "LATIN1",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "America/St_Johns",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "search_path": "elsewhere",
    "statement_timeout": "1s",
    "transaction_timeout": "1s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "1s",
    "idle_session_timeout": "1s",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "extra_float_digits": "-15",
    "transform_null_equals": "on",
}


def settings_of(conn: psycopg.Connection[tuple[object, ...]]) -> dict[str, object]:
    rows = conn.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY (%s)", [list(HOSTILE)]
    )
    return dict(rows.fetchall())


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    for month in (JUNE, JULY):
        write_dump(tmp_path, month, Entity.LABELS, LABEL)
        write_dump(tmp_path, month, Entity.ARTISTS, ARTIST)
        write_dump(tmp_path, month, Entity.RELEASES, RELEASE)
    return tmp_path


def hostile(database: str, *, role: str | None = None) -> None:
    """Give a database, or a role, unusual defaults."""
    name = str(conninfo_to_dict(database)["dbname"])
    what = sql.SQL("ROLE {}").format(sql.Identifier(role)) if role else None
    what = what or sql.SQL("DATABASE {}").format(sql.Identifier(name))
    with psycopg.connect(database, autocommit=True) as conn:
        for setting, value in HOSTILE.items():
            conn.execute(
                sql.SQL("ALTER {} SET {} TO {}").format(
                    what, sql.Identifier(setting), sql.Literal(value)
                )
            )


def test_unusual_defaults_of_the_database_do_not_change_a_session(database: str) -> None:
    with connector(database, SCHEMA)() as conn:
        usual = settings_of(conn)
    hostile(database)
    with connector(database, SCHEMA)() as conn:
        assert settings_of(conn) == usual


def test_a_load_with_unusual_defaults_gives_the_usual_tables(
    database: str, dumps: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_database(server) as other:
        for month in (JUNE, JULY):
            load_folder(connector(other, SCHEMA), dumps, month, Settings(), run_id="usual")
        hostile(database)
        monkeypatch.setenv("PGCLIENTENCODING", "WIN1252")
        monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
        monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
        for month in (JUNE, JULY):
            load_folder(connector(database, SCHEMA), dumps, month, Settings(), run_id="hostile")
        monkeypatch.undo()
        assert digests(database) == digests(other)


@pytest.mark.parametrize("way", ["dsn", "environment", "database"])
def test_names_survive_a_client_encoding_that_is_not_utf8(
    database: str, dumps: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = database
    if way == "dsn":
        dsn = make_conninfo(database, client_encoding="LATIN1")
    elif way == "environment":
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN9")
    else:
        with psycopg.connect(database, autocommit=True) as conn:
            name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
            conn.execute(sql.SQL("ALTER DATABASE {} SET client_encoding TO WIN1252").format(name))
    load_folder(connector(dsn, SCHEMA), dumps, JUNE, Settings(), run_id="test")
    monkeypatch.delenv("PGCLIENTENCODING", raising=False)
    with psycopg.connect(database, client_encoding="utf8") as conn:
        for table, column in (
            ("labels", "name"),
            ("artists", "name"),
            ("artist_name_variations", "name"),
            ("releases", "title"),
        ):
            query = sql.SQL("SELECT {} FROM {}").format(
                sql.Identifier(column), sql.Identifier(SCHEMA, table)
            )
            assert conn.execute(query).fetchall() == [(NAME,)]


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "LATIN9", "SQL_ASCII"])
def test_a_database_that_is_not_utf8_is_refused_before_anything_is_written(
    server: str, dumps: Path, encoding: str
) -> None:
    with new_database(server, encoding=encoding) as database:
        connect = connector(database, SCHEMA)
        with pytest.raises(DatabaseError, match=f"{encoding}.*ENCODING 'UTF8'") as caught:
            migrate(connect, SCHEMA)
        assert not caught.value.transient
        with pytest.raises(DatabaseError):
            load_folder(connect, dumps, JUNE, Settings(), run_id="test")
        with psycopg.connect(database) as conn:
            found = conn.execute("SELECT FROM pg_namespace WHERE nspname LIKE 'discogs%'")
            assert found.fetchone() is None


def test_rows_are_tuples_whatever_the_connection_was_opened_with(database: str) -> None:
    def reopen() -> psycopg.Connection[object]:
        raise AssertionError("PostgreSQL answers itself: there is no pooler to look at")

    with psycopg.connect(database, row_factory=dict_row) as conn:
        prepare(conn, SCHEMA, reopen)
        assert conn.execute("SELECT 1").fetchone() == (1,)
