"""The hooks: from Airflow's connections to a real mirror and a real PostgreSQL."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.hooks.postgres import DiscogsPostgresHook
from discogs.database.connection import Connect
from discogs.database.errors import DatabaseError, DatabaseUnavailable, PoolerUnusable
from discogs.database.migrations import migrate
from discogs.errors import InvalidSetting
from discogs.load.folder import load_folder
from discogs.sample.generator import write_months
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.model import RunIdentity, Status
from tests.pooler import pooler

MONTH = Month(2026, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    write_months(folder, MONTH, releases=20)
    return folder


@pytest.fixture(params=["data.discogs.com", "s3"])
def mirror(folder: Path, request: pytest.FixtureRequest) -> Iterator[Mirror]:
    layout: str = request.param
    with Mirror(folder, layout) as mirror:
        yield mirror


def connect_to(monkeypatch: pytest.MonkeyPatch, name: str, **connection: object) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


def test_a_connection_with_its_layout_finds_a_month(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    layout = request.node.callspec.params["mirror"]
    connect_to(
        monkeypatch, "discogs_dumps", conn_type="http", host=mirror.url, extra={"layout": layout}
    )

    with DiscogsDumpsHook().source() as source:
        dump = source.find(MONTH)

    assert (dump.month, len(dump.files)) == (MONTH, 4)
    assert "layout" not in {name.lower() for name in mirror.seen[0].headers}
    assert DiscogsDumpsHook().test_connection()[0]


def test_host_and_port_may_stand_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Mirror(folder) as mirror:
        parts = urlsplit(mirror.url)
        connect_to(
            monkeypatch, "discogs_dumps", conn_type="http", host=parts.hostname, port=parts.port
        )
        with DiscogsDumpsHook().source() as source:
            assert len(source.find(MONTH).files) == 4


def test_login_and_headers_of_the_connection_are_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mirror(folder) as mirror:
        connect_to(
            monkeypatch,
            "discogs_dumps",
            conn_type="http",
            host=mirror.url,
            login="me",
            password="secret",
            extra={"headers": {"User-Agent": "my agent"}},
        )
        with DiscogsDumpsHook().source() as source:
            source.find(MONTH)
        headers = {name.lower(): value for name, value in mirror.seen[0].headers.items()}

    assert headers["user-agent"] == "my agent"
    assert headers["authorization"] == "Basic bWU6c2VjcmV0"


def test_an_unknown_layout_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to(
        monkeypatch, "discogs_dumps", conn_type="http", host="http://x", extra={"layout": "ftp"}
    )

    with (
        pytest.raises(InvalidSetting, match=r"discogs_dumps.*'ftp'.*data\.discogs\.com or s3"),
        DiscogsDumpsHook().source(),
    ):
        pass


def test_the_test_button_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to(monkeypatch, "discogs_dumps", conn_type="http", host="http://127.0.0.1:1")

    passed, message = DiscogsDumpsHook().test_connection()

    assert not passed
    assert "127.0.0.1:1" in message


def test_a_connection_has_the_schema_and_no_autocommit(
    target: dict[str, object], connect: Connect
) -> None:
    with DiscogsPostgresHook().connect() as conn:
        assert isinstance(conn, psycopg.Connection)
        assert not conn.autocommit
        assert conn.execute("SELECT current_schema(), current_setting('timezone')").fetchone() == (
            "discogs",
            "UTC",
        )
    assert DiscogsPostgresHook().repository().get(MONTH) is None


@pytest.mark.parametrize(
    "extra",
    [
        {"cursor": "dictcursor"},
        {"cursor": "namedtuplecursor"},
        {"cursor": "realdictcursor"},  # which the provider has with psycopg 2 alone
        {"row_factory": "dict_row"},
        {"cursor_factory": "DictCursor"},
        {"autocommit": True},
        {"autocommit": "true", "prepare_threshold": 0, "connect_timeout": 5},
        {"client_encoding": "latin1", "application_name": "mine", "sslmode": "prefer"},
        {"options": "-c search_path=elsewhere -c statement_timeout=1000 -c lock_timeout=1000"},
        {"options": "-c default_transaction_read_only=on", "keepalives_idle": 30},
        {"sqlalchemy_scheme": "postgresql+psycopg", "sqlalchemy_query": {}},
    ],
    ids=str,
)
def test_nothing_in_the_extra_changes_what_a_load_relies_on(
    target: dict[str, object],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, object],
) -> None:
    connect_to(monkeypatch, "discogs_postgres", **target, extra=extra)
    hook = DiscogsPostgresHook()

    migrate(hook.connect, "discogs")
    hook.repository().claim(MONTH, RunIdentity("a DAG", "a run"))

    with hook.connect() as conn:
        assert not conn.autocommit
        row = conn.execute(
            "SELECT current_setting('client_encoding'), current_schema(),"
            " current_setting('statement_timeout')"
        )
        assert row.fetchone() == ("UTF8", "discogs", "0")
    record = hook.repository().get(MONTH)
    assert record is not None
    assert record.status is Status.DOWNLOADING


def test_a_month_is_loaded_by_a_connection_with_a_cursor_and_options_of_its_own(
    target: dict[str, object], database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"cursor": "dictcursor", "autocommit": True, "options": "-c DateStyle=German"}
    connect_to(monkeypatch, "discogs_postgres", **target, extra=extra)

    report = load_folder(
        DiscogsPostgresHook().connect, folder, MONTH, Settings(workers=2), run_id="test"
    )

    assert report.status is Status.COMPLETED


@pytest.mark.parametrize("extra", [{"no_such_option": 1}, {"connect_timeout": "soon"}], ids=str)
def test_an_extra_that_libpq_refuses_is_no_passing_fault(
    target: dict[str, object], monkeypatch: pytest.MonkeyPatch, extra: dict[str, object]
) -> None:
    connect_to(monkeypatch, "discogs_postgres", **target, extra=extra)

    with pytest.raises(DatabaseError, match=r"discogs_postgres.*extra") as caught:
        DiscogsPostgresHook().connect()
    assert not caught.value.transient


def test_a_pooler_is_refused_or_used_as_it_shares_its_sessions(
    target: dict[str, object], database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode in ("transaction", "session"):
        with pooler(database, mode) as dsn:
            port = urlsplit(dsn).port
            at_pooler = {**target, "host": "127.0.0.1", "port": port}
            connect_to(monkeypatch, "discogs_postgres", **at_pooler)
            hook = DiscogsPostgresHook()
            if mode == "session":
                assert hook.repository().all() == []
                continue
            with pytest.raises(PoolerUnusable, match=f"127.0.0.1:{port}.*pool_mode is transaction"):
                hook.connect()


def test_batches_are_copied_in_one_transaction(target: dict[str, object], connect: Connect) -> None:
    hook = DiscogsPostgresHook()

    def batch(*names: str) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"id": [*map(len, names)], "name": [*names]})

    assert hook.copy("genres", [batch("Rock", "Blues"), batch(), batch("Hip Hop")]) == 3
    assert hook.copy("genres", []) == 0

    def broken() -> Iterator[pa.RecordBatch]:
        yield batch("Pop")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        hook.copy("genres", broken())
    with connect() as conn:
        rows = conn.execute("SELECT id, name FROM genres ORDER BY id").fetchall()
    assert rows == [(4, "Rock"), (5, "Blues"), (7, "Hip Hop")]


def test_a_running_statement_is_cancelled(target: dict[str, object], connect: Connect) -> None:
    hook = DiscogsPostgresHook()
    ended: list[BaseException] = []

    def sleep() -> None:
        with hook.connect() as conn:
            started.set()
            try:
                conn.execute("SELECT pg_sleep(60)")
            except psycopg.Error as error:
                ended.append(error)

    started = threading.Event()
    thread = threading.Thread(target=sleep)
    thread.start()
    assert started.wait(10)
    for _ in range(50):  # until the statement is under way
        time.sleep(0.1)
        hook.cancel()
        if not thread.is_alive():
            break
    thread.join(5)

    assert [type(error) for error in ended] == [psycopg.errors.QueryCanceled]


def test_a_server_that_is_not_there_is_named_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect_to(
        monkeypatch,
        "discogs_postgres",
        conn_type="postgres",
        host="127.0.0.1",
        port=1,
        login="me",
        password="pa55word",
        schema="music",
    )

    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/music") as caught:
        DiscogsPostgresHook().connect()
    assert "pa55word" not in str(caught.value)


def test_a_database_that_is_not_there_is_no_passing_fault(
    target: dict[str, object], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to(monkeypatch, "discogs_postgres", **{**target, "schema": "no_such_database"})

    with pytest.raises(DatabaseError, match="no_such_database") as caught:
        DiscogsPostgresHook().connect()
    assert not caught.value.transient
