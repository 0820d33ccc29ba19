"""Leases in the months' rows, by which other processes recognise living runs."""

from __future__ import annotations

import datetime as dt
import time

import psycopg
import pytest

from discogs.database.connection import Connect
from discogs.load.life import Heartbeat, is_alive
from discogs.load.locks import COMMAND, holding_month
from discogs.schema.entities import Month
from discogs.tracking.model import LEASE, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.conftest import SCHEMA

MAY, JUNE, JULY = (Month(2026, number) for number in (5, 6, 7))
BLUE = RunIdentity("discogs_monthly", "scheduled__2026-05", "blue")
GREEN = RunIdentity("discogs_monthly", "scheduled__2026-05", "green")


@pytest.fixture
def repository(connect: Connect) -> PostgresMonthRepository:
    return PostgresMonthRepository(connect)


def age(connect: Connect, minutes: int) -> None:
    """Make the lease older."""
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing"
            " SET alive_until = alive_until - make_interval(mins => %s)",
            [minutes],
        )


def left(repository: PostgresMonthRepository, month: Month) -> dt.timedelta:
    until = repository.ensure(month).alive_until
    assert until is not None
    return until - dt.datetime.now(dt.timezone.utc)


def test_a_run_is_alive_until_its_lease_is_over(
    connect: Connect, repository: PostgresMonthRepository
) -> None:
    repository.claim(MAY, BLUE)
    record = repository.ensure(MAY)

    age(connect, 14)
    assert is_alive(connect, SCHEMA, record)
    age(connect, 1)
    assert not is_alive(connect, SCHEMA, record)
    # What has another run now, or came to rest.
    assert not is_alive(connect, SCHEMA, record.replace(airflow="green"))
    assert not is_alive(connect, SCHEMA, repository.ensure(JUNE))


def test_a_run_of_a_version_without_leases_counts_as_alive(
    connect: Connect, repository: PostgresMonthRepository
) -> None:
    repository.claim(MAY, RunIdentity("discogs_monthly", "an old one"))
    assert is_alive(connect, SCHEMA, repository.ensure(MAY))


def test_a_command_is_alive_as_long_as_it_holds_its_months_lock(
    connect: Connect, repository: PostgresMonthRepository
) -> None:
    repository.claim(MAY, RunIdentity(COMMAND, "here:1"))
    with holding_month(connect, SCHEMA, MAY, wait=0):
        assert is_alive(connect, SCHEMA, repository.ensure(MAY))
        assert not is_alive(connect, SCHEMA, repository.ensure(MAY), held=MAY)
    assert not is_alive(connect, SCHEMA, repository.ensure(MAY))


def test_a_running_task_renews_the_leases_of_its_airflows_months(
    connect: Connect, repository: PostgresMonthRepository
) -> None:
    repository.claim(MAY, BLUE)
    repository.claim(JUNE, RunIdentity("discogs_monthly", "waits for its turn", "blue"))
    repository.claim(JULY, GREEN)

    with Heartbeat(connect, "blue", seconds=0.1) as heart:
        for month in (MAY, JUNE):
            assert left(repository, month) > LEASE - dt.timedelta(minutes=1)
        age(connect, 20)
        deadline = time.monotonic() + 20
        while left(repository, MAY) < LEASE / 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert left(repository, JULY) < dt.timedelta(0)
        heart.extend(dt.timedelta(hours=1))
    assert left(repository, MAY) > LEASE + dt.timedelta(minutes=59)
    assert repository.move(MAY, Status.FAILED, run=BLUE).alive_until is None


def test_a_lost_connection_does_not_stop_the_heartbeat(
    connect: Connect, repository: PostgresMonthRepository, database: str
) -> None:
    repository.claim(MAY, BLUE)
    with Heartbeat(connect, "blue", seconds=0.1):
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        age(connect, 20)
        deadline = time.monotonic() + 20
        while left(repository, MAY) < LEASE / 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
