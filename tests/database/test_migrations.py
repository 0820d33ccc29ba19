from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from discogs.database.connection import connector
from discogs.database.errors import MigrationError
from discogs.database.migrations import available, migrate

if TYPE_CHECKING:
    from discogs.database.connection import Connect

FIRST = "CREATE TABLE one (id int PRIMARY KEY);\nINSERT INTO one VALUES (1);\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text(FIRST)
    return tmp_path


@pytest.fixture
def empty(database: str) -> Connect:
    return connector(database, "mine")


def values(connect: Connect, query: str) -> list[object]:
    with connect() as conn:
        return [row[0] for row in conn.execute(query.encode())]


def test_the_packages_own_migrations_apply_once_and_then_do_nothing(database: str) -> None:
    connect = connector(database, "discogs")
    applied = migrate(connect, "discogs")
    assert [migration.version for migration in applied] == [
        migration.version for migration in available()
    ]
    before = values(connect, "SELECT applied_at FROM schema_migrations ORDER BY version")
    assert migrate(connect, "discogs") == []
    assert values(connect, "SELECT applied_at FROM schema_migrations ORDER BY version") == before


def test_the_packages_own_migrations_work_in_any_schema_and_beside_another(database: str) -> None:
    for schema in ("one", "two"):
        connect = connector(database, schema)
        migrate(connect, schema)
        assert values(connect, "SELECT count(*) FROM discogs_data_processing") == [0]
    with psycopg.connect(database) as conn:
        rows = conn.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert rows == (0,)


def test_a_new_file_is_applied_alone(empty: Connect, folder: Path) -> None:
    migrate(empty, "mine", folder)
    (folder / "0002_second.sql").write_text("INSERT INTO one VALUES (2)")
    assert [migration.name for migration in migrate(empty, "mine", folder)] == ["second"]
    assert values(empty, "SELECT id FROM mine.one ORDER BY id") == [1, 2]


def test_a_changed_old_file_is_an_error_and_applies_nothing(empty: Connect, folder: Path) -> None:
    migrate(empty, "mine", folder)
    (folder / "0001_first.sql").write_text(FIRST + "-- better\n")
    (folder / "0002_second.sql").write_text("INSERT INTO one VALUES (2)")
    with pytest.raises(MigrationError, match="after they were applied: 0001_first"):
        migrate(empty, "mine", folder)
    assert values(empty, "SELECT id FROM one") == [1]


def test_line_endings_do_not_change_a_migration(empty: Connect, folder: Path) -> None:
    migrate(empty, "mine", folder)
    (folder / "0001_first.sql").write_bytes(FIRST.replace("\n", "\r\n").encode())
    assert migrate(empty, "mine", folder) == []


def test_a_database_ahead_of_the_package_is_an_error(empty: Connect, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("INSERT INTO one VALUES (2)")
    migrate(empty, "mine", folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match="package lacks: 0002_second"):
        migrate(empty, "mine", folder)


def test_a_file_that_fails_is_rolled_back(empty: Connect, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("INSERT INTO one VALUES (2); SELECT 1/0; ")
    (folder / "0003_third.sql").write_text("INSERT INTO one VALUES (3)")
    with pytest.raises(MigrationError, match=r"0002_second\.sql failed: division by zero"):
        migrate(empty, "mine", folder)
    assert values(empty, "SELECT id FROM one") == [1]
    (folder / "0002_second.sql").write_text("INSERT INTO one VALUES (2)")
    migrate(empty, "mine", folder)
    assert values(empty, "SELECT id FROM one ORDER BY id") == [1, 2, 3]


def test_callers_at_the_same_time_apply_each_file_once(empty: Connect, folder: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: migrate(empty, "mine", folder), range(6)))
    assert sorted(len(applied) for applied in done) == [0, 0, 0, 0, 0, 1]
    assert values(empty, "SELECT id FROM one") == [1]


@pytest.fixture
def restricted(database: str) -> Iterator[str]:
    """A role that can create objects only in the schema ``mine``."""
    with psycopg.connect(database, autocommit=True) as conn:
        # A role belongs to the whole server: its name is the database's.
        name = conn.info.dbname + "_user"
        role = sql.Identifier(name)
        conn.execute(sql.SQL("CREATE ROLE {}").format(role))
        conn.execute(sql.SQL("CREATE SCHEMA mine AUTHORIZATION {}").format(role))
    yield name
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP OWNED BY {}").format(role))
        conn.execute(sql.SQL("DROP ROLE {}").format(role))


def test_the_error_for_a_role_without_rights_has_the_statements_that_grant_them(
    database: str, restricted: str, folder: Path
) -> None:
    connect = connector(make_conninfo(database, options=f"-crole={restricted}"), "mine")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"REVOKE TEMPORARY ON DATABASE {conn.info.dbname} FROM PUBLIC")
        conn.execute("CREATE SCHEMA other")

        with pytest.raises(MigrationError, match="nothing was created") as caught:
            migrate(connect, "mine", folder)
        assert values(connect, "SELECT to_regclass('schema_migrations')") == [None]
        statements = str(caught.value).partition(" run: ")[2]
        assert statements == (
            f'CREATE SCHEMA "mine_staging" AUTHORIZATION "{restricted}";'
            f' GRANT TEMPORARY ON DATABASE "{conn.info.dbname}" TO "{restricted}";'
        )
        with pytest.raises(MigrationError, match='GRANT USAGE, CREATE ON SCHEMA "other" TO'):
            migrate(connect, "other", folder)

        conn.execute(statements)
    assert len(migrate(connect, "mine", folder)) == 1
    assert values(connect, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'one'") == [
        restricted
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine.artists (id serial)",
        "CREATE VIEW mine.labels AS SELECT 1",
        "CREATE TYPE mine.processing_status AS ENUM ()",
        "CREATE TABLE mine.schema_migrations (version text)",
    ],
)
def test_a_schema_of_another_application_is_refused_before_anything_is_created(
    empty: Connect, statement: str
) -> None:
    name = statement.split()[2].removeprefix("mine.")
    with empty() as conn:
        conn.execute("CREATE SCHEMA mine")
        conn.execute(statement)
    with pytest.raises(MigrationError, match=f"mine already has {name} of.*DISCOGS_SCHEMA"):
        migrate(empty, "mine")
    assert values(empty, "SELECT to_regclass('discogs_data_processing')") == [None]
    assert values(empty, "SELECT to_regnamespace('mine_staging')") == [None]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1_first.sql"], "1_first.sql is not named like a migration"),
        (["0001_a.sql", "0001_b.sql"], "0001_b.sql and 0001_a.sql have the same number"),
        ([], "has no migrations"),
    ],
)
def test_an_invalid_folder_of_migrations_is_an_error(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MigrationError, match=message):
        available(tmp_path)
