from __future__ import annotations

import socket
import uuid

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from discogs.database.connection import Connect, connector, describe, explain
from discogs.database.errors import DatabaseError, DatabaseUnavailable


def setting(conn: psycopg.Connection[tuple[object, ...]], name: str) -> object:
    row = conn.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return row[0]


def test_a_connection_has_the_schema_utc_and_checks_its_client(database: str) -> None:
    with connector(database, 'odd "name"', application_name="who")() as conn:
        assert not conn.autocommit
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert setting(conn, "search_path") == '"odd ""name"""'
        assert setting(conn, "timezone") == "UTC"
        assert setting(conn, "application_name") == "who"
        assert setting(conn, "client_connection_check_interval") == "10s"


def test_each_call_opens_a_new_connection(database: str) -> None:
    connect = connector(database, "discogs")
    with connect() as one, connect() as two:
        assert one.info.backend_pid != two.info.backend_pid


def test_an_unreachable_server_is_a_transient_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    connect = connector(f"postgresql://someone:hush@127.0.0.1:{port}/records", "discogs")
    with pytest.raises(
        DatabaseUnavailable, match=f"not reachable at someone@127.0.0.1:{port}/records"
    ) as caught:
        connect()
    assert caught.value.transient
    assert "hush" not in str(caught.value)


def test_a_missing_database_is_a_permanent_error(database: str) -> None:
    missing = database.replace("discogs_test_", "discogs_missing_")
    with pytest.raises(DatabaseError, match="does not exist") as caught:
        connector(missing, "discogs")()
    assert not caught.value.transient


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql+psycopg://someone:hush@host/records",
        "mysql://someone:hush@host/records",
        "postgresql://someone:hush@host:port/records?x=%zz",
        "someone:hush",
    ],
)
def test_a_dsn_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(DatabaseError, match="cannot be read") as caught:
        connector(dsn, "discogs")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://someone:hu@sh@127.0.0.1:1/records",
        "postgresql://someone:hush%40@127.0.0.1:1/records",
        "host=127.0.0.1 port=1 user=someone password=hush dbname=records",
        "postgresql://someone@127.0.0.1:1/records?password=hush",
    ],
)
def test_no_message_has_a_password(dsn: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        connector(dsn, "discogs")()
    text = str(caught.value)
    assert "hush" not in text
    assert "sh@127" not in text
    assert caught.value.__cause__ is None
    assert "hush" not in describe(dsn)


def test_a_lost_connection_is_a_transient_error(database: str) -> None:
    connect = connector(database, "discogs")
    with connect() as conn, connect() as other:
        # With a time to wait, it returns when the connection is gone.
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [conn.info.backend_pid])
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("SELECT 1")
        assert isinstance(explain(caught.value), DatabaseUnavailable)


def test_a_missing_table_leads_to_the_migrations(database: str) -> None:
    with connector(database, "discogs")() as conn:
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("SELECT FROM nothing")
        assert "discogs migrate" in str(explain(caught.value))
        assert not explain(caught.value).transient


def test_a_schema_that_the_role_may_not_use_is_not_taken_for_one_without_tables(
    database: str, connect: Connect
) -> None:
    role = sql.Identifier(f"reader_{uuid.uuid4().hex[:8]}")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {}").format(role))
        try:
            options = f"-crole={role.as_string().strip(chr(34))}"
            denied = connector(make_conninfo(database, options=options), "discogs")
            with pytest.raises(DatabaseError, match="permission denied") as caught:
                denied()
            text = str(caught.value)
            assert f"GRANT USAGE, CREATE ON SCHEMA discogs TO {role.as_string()[1:-1]};" in text
            assert "migrate" not in text
            conn.execute(sql.SQL("GRANT USAGE ON SCHEMA discogs TO {}").format(role))
            with denied() as allowed, pytest.raises(psycopg.Error) as refused:
                allowed.execute("SELECT FROM labels")
            assert "permission denied for table labels" in str(explain(refused.value))
        finally:
            conn.execute(sql.SQL("DROP OWNED BY {}").format(role))
            conn.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize("state", ["40P01", "40001", "40003", "55P03"])
def test_a_conflict_with_another_transaction_is_a_transient_error(state: str) -> None:
    assert explain(psycopg.errors.lookup(state)("in each other's way")).transient
