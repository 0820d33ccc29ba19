"""Fixtures of all tests: a PostgreSQL server, databases, and excerpts of real dumps."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from discogs.database.connection import Connect

# On a busy machine an example may take long.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

PROJECT = Path(__file__).resolve().parents[1]
SCHEMA = "discogs"

# Airflow reads its environment when it is imported, and writes its files there.
_AIRFLOW_HOME = tempfile.mkdtemp(prefix="discogs-airflow-")
atexit.register(shutil.rmtree, _AIRFLOW_HOME, ignore_errors=True)
os.environ.update(
    {
        "AIRFLOW_HOME": _AIRFLOW_HOME,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
)
# A developer's own settings must not change the tests.
for _name in [name for name in os.environ if name.startswith("DISCOGS_")]:
    if _name not in {"DISCOGS_TEST_DSN", "DISCOGS_SAMPLES"}:
        del os.environ[_name]

# The server's data need not survive a crash of the machine.
_QUICK = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "4GB"}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The DSN of a PostgreSQL server in which tests can create databases."""
    given = os.environ.get("DISCOGS_TEST_DSN")
    if given:
        yield given
        return
    from demo import embedded

    # In /tmp, since a socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="discogs-pg-", dir="/tmp"))
    home.chmod(0o755)
    try:
        yield embedded.start(home / "data", settings=_QUICK)
    finally:
        embedded.stop(home / "data")
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def migrated_template(server: str) -> Iterator[str]:
    """The name of a migrated database, a template for others."""
    from discogs.database.connection import connector
    from discogs.database.migrations import migrate

    with new_database(server) as dsn:
        migrate(connector(dsn, SCHEMA), SCHEMA)
        yield str(conninfo_to_dict(dsn)["dbname"])


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The DSN of a new database: empty, or migrated if the test uses ``connect``."""
    template = "template0"
    if "connect" in request.fixturenames:
        template = request.getfixturevalue("migrated_template")
    with new_database(server, template=template) as dsn:
        yield dsn


@pytest.fixture
def connect(database: str) -> Connect:
    """Connects to a new, migrated database, with the schema ``discogs``."""
    from discogs.database.connection import connector

    return connector(database, SCHEMA)


@pytest.fixture(scope="session")
def samples() -> Path:
    """A folder of excerpts of real dumps."""
    folder = os.environ.get("DISCOGS_SAMPLES")
    if not folder:
        pytest.skip("DISCOGS_SAMPLES names no folder of real excerpts")
    return Path(folder)


@contextlib.contextmanager
def new_database(
    server: str, *, template: str = "template0", encoding: str | None = None
) -> Iterator[str]:
    """Create a database, which is dropped at the end; yields its DSN."""
    from demo.embedded import with_database

    name = f"discogs_test_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    if encoding is not None:
        create += sql.SQL(" ENCODING {} LOCALE 'C'").format(sql.Literal(encoding))
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(create)
    try:
        yield with_database(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(drop)
