"""A pooler that shares sessions is refused before anything is changed; others work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from discogs.database.connection import connector
from discogs.database.errors import PoolerUnusable
from discogs.schema.entities import Entity, Month
from tests.cli.conftest import call
from tests.conftest import SCHEMA
from tests.dump_files import write_dump
from tests.pooler import pooler

pytestmark = pytest.mark.slow

MONTH = Month(2026, 6)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    write_dump(tmp_path, MONTH, Entity.LABELS, "<label><id>1</id><name>One</name></label>")
    return tmp_path


def untouched(dsn: str) -> bool:
    """Whether a database is empty, and its sessions have their settings of before."""
    with psycopg.connect(dsn) as conn:
        schemas = conn.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'discogs%'")
        locks = conn.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return (schemas.fetchone(), locks.fetchone()) == ((0,), (0,))


@pytest.mark.parametrize(
    ("mode", "settings"),
    [
        ("transaction", {}),
        ("transaction", {"default_pool_size": 1}),
        ("transaction", {"server_round_robin": 1, "min_pool_size": 4}),
        ("transaction", {"server_reset_query_always": 1}),
        ("statement", {}),
    ],
)
@pytest.mark.parametrize("name", ["migrate", "load", "status"])
def test_a_pooler_that_shares_sessions_is_refused_in_one_line(
    database: str, dumps: Path, mode: str, settings: dict[str, object], name: str
) -> None:
    arguments = [dumps, "--month", MONTH] if name == "load" else []
    with pooler(database, mode, **settings) as dsn:
        result = call(name, *arguments, "--dsn", dsn)

        assert (result.returncode, result.stdout) == (1, "")
        [line] = result.stderr.splitlines()
        assert f"pool_mode is {mode}" in line
        assert "PostgreSQL's own address" in line
        assert untouched(database)
        # What other clients of the pooler get.
        with psycopg.connect(dsn, autocommit=True) as conn:
            found = conn.execute("SHOW search_path").fetchone()
            assert found == ('"$user", public',)


@contextlib.contextmanager
def others_at_work(dsn: str, clients: int) -> Iterator[None]:
    """Other clients of a pooler, with one short transaction after another."""
    stop = Event()

    def work() -> None:
        with psycopg.connect(dsn, prepare_threshold=None) as conn:
            while not stop.is_set():
                conn.execute("SELECT pg_sleep(random() / 200)")
                conn.commit()

    threads = [Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("settings", [{}, {"server_round_robin": 1}])
def test_a_busy_pooler_is_refused_as_well(database: str, settings: dict[str, object]) -> None:
    with pooler(database, "transaction", **settings) as dsn, others_at_work(dsn, 5):
        for _ in range(10):
            with pytest.raises(PoolerUnusable) as caught:
                connector(dsn, SCHEMA)()
            assert not caught.value.transient


def test_a_session_that_keeps_what_its_last_client_has_set_is_refused(database: str) -> None:
    with (
        pooler(database, "session", server_reset_query="") as dsn,
        pytest.raises(PoolerUnusable, match="server_reset_query"),
    ):
        connector(dsn, SCHEMA)()


def test_a_load_through_a_pooler_in_session_mode_succeeds(database: str, dumps: Path) -> None:
    with pooler(database, "session") as dsn, others_at_work(dsn, 2):
        for arguments in (["migrate"], ["load", dumps, "--month", MONTH], ["status"]):
            result = call(*arguments, "--dsn", dsn)
            assert result.returncode == 0, result.stderr
    with psycopg.connect(database) as conn:
        assert conn.execute(f"SELECT id, name FROM {SCHEMA}.labels").fetchall() == [(1, "One")]
