"""Several months loaded at the same time into one database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import psycopg

from discogs.schema.entities import Month
from tests.content import difference
from tests.load.conftest import MONTHS, load

Fresh = Callable[[], str]


def test_two_first_loads_at_once_both_end(dumps: Path, fresh: Fresh) -> None:
    at_once, in_order = fresh(), fresh()
    start = threading.Barrier(2)

    def run(month: Month) -> None:
        start.wait()
        load(at_once, dumps, month)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(run, month) for month in MONTHS[:2]]
        _, waiting = wait(futures, timeout=60)
        if waiting:
            with psycopg.connect(at_once, autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert not waiting, "the loads wait for each other"
        for future in futures:
            future.result()
    for month in MONTHS[:2]:
        load(in_order, dumps, month)
    assert difference(at_once, in_order) == []
