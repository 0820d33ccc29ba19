from __future__ import annotations

import threading
import time

import psycopg
import pytest

from discogs.database.connection import connector
from discogs.database.errors import LockBusy
from discogs.database.locking import LockRetry, advisory_lock, outwait_snapshots


def test_a_lock_keeps_others_out_and_names_its_holder(database: str) -> None:
    connect = connector(database, "discogs", application_name="the first")
    with connect() as one, connect() as two:
        with advisory_lock(one, "month:2026-07"):
            for wait in (0, 0.1):
                with (
                    pytest.raises(LockBusy, match=f"process {one.info.backend_pid} .the first"),
                    advisory_lock(two, "month:2026-07", wait=wait),
                ):
                    pytest.fail("two hold one lock")
            with advisory_lock(two, "month:2026-08", wait=0):
                pass
        with advisory_lock(two, "month:2026-07", wait=0):
            pass


def test_a_lock_is_waited_for(database: str) -> None:
    connect = connector(database, "discogs")
    order = []
    held = threading.Event()

    def first() -> None:
        with connect() as conn, advisory_lock(conn, "key"):
            held.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(10)
    with connect() as conn, advisory_lock(conn, "key"):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_outlives_its_callers_transactions_and_opens_none(database: str) -> None:
    connect = connector(database, "discogs")
    with connect() as conn, connect() as other:
        with advisory_lock(conn, "key"):
            assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            conn.execute("SELECT 1")
            conn.rollback()
            with pytest.raises(LockBusy), advisory_lock(other, "key", wait=0):
                pass
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_failed_statement_does_not_keep_the_lock(database: str) -> None:
    connect = connector(database, "discogs")
    with connect() as conn, connect() as other:
        with pytest.raises(psycopg.errors.DivisionByZero), advisory_lock(conn, "key"):
            conn.execute("SELECT 1/0")
        with advisory_lock(other, "key", wait=0):
            pass


def test_a_lock_ends_with_its_connection(database: str) -> None:
    connect = connector(database, "discogs")
    with connect() as other:
        with connect() as conn, advisory_lock(conn, "key"):
            conn.close()
        with advisory_lock(other, "key", wait=5):
            pass


def test_a_session_that_waits_for_a_lock_has_no_snapshot(database: str) -> None:
    connect = connector(database, "discogs")

    def waiter() -> None:
        with connect() as conn, advisory_lock(conn, "key"):
            pass

    thread = threading.Thread(target=waiter)
    with connect() as conn, connect() as other, advisory_lock(conn, "key"):
        thread.start()
        time.sleep(0.3)
        for _ in range(5):
            outwait_snapshots(other, LockRetry("labels", seconds=2))
    thread.join()
