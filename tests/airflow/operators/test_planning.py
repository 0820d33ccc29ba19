"""The first tasks: the month and its options, migrations, and whether there is anything to do."""

from __future__ import annotations

import os
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow import failures
from discogs.airflow.operators.planning import (
    MigrateOperator,
    MonthPendingOperator,
    ResolveMonthOperator,
)
from discogs.database.connection import Connect
from discogs.database.locking import advisory_lock
from discogs.load.errors import MonthAhead, MonthMismatch
from discogs.load.locks import COMMAND, month_lock
from discogs.schema.filters import InvalidFilter
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.operators.steps import ENTITIES, MONTH, TaskInstance, context, fetched, run


def test_a_run_has_the_options_of_the_form(repository: PostgresMonthRepository) -> None:
    def resolved(**params: Any) -> dict[str, Any]:
        options: dict[str, Any] = run(ResolveMonthOperator(task_id="t"), context(**params))
        return options

    assert resolved(entities=["releases", "labels"], shards=3, force=True) == {
        "year_month": "2026-05",
        "entities": ["labels", "releases"],
        "shards": 3,
        "keep_files": False,
        "allow_shrink": False,
        "force": True,
        "filter": None,
    }
    assert resolved()["entities"] == ENTITIES
    with pytest.raises(MonthMismatch):
        resolved(year_month="2026-04")
    assert resolved(filter="releases:country=US")["filter"] == "releases:country=US"
    with pytest.raises(InvalidFilter, match="ENTITY:FIELD=VALUE"):
        resolved(filter="country=US")


def test_the_first_task_says_which_tables_and_storage_this_worker_uses(
    repository: PostgresMonthRepository,
    target: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # As one worker of several might be set up.
    monkeypatch.setenv("DISCOGS_SCHEMA", "elsewhere")
    run(ResolveMonthOperator(task_id="t"))

    logged = capsys.readouterr().out
    place = f"database {target['schema']} at {target['host']}:{target['port']}"
    said = f"It writes to {place} (connection discogs_postgres), schema elsewhere."
    assert said in logged
    assert f"Dumps are kept in {os.environ['DISCOGS_STORAGE']}." in logged


def test_migrating_twice_applies_nothing_the_second_time(
    repository: PostgresMonthRepository,
) -> None:
    assert run(MigrateOperator(task_id="t")) == []


def test_search_indexes_are_built_where_the_setting_asks_for_them(
    connect: Connect, repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting, found in (("off", False), ("on", True)):
        monkeypatch.setenv("DISCOGS_SEARCH", setting)
        run(MigrateOperator(task_id="t"))
        with connect() as conn:
            query = "SELECT to_regclass('search_barcode') IS NOT NULL"
            assert conn.execute(query).fetchone() == (found,)


def test_a_run_of_a_month_that_is_being_loaded_is_skipped(
    repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched()
    before = repository.get(MONTH)
    monkeypatch.setattr(TaskInstance, "run_states", {"a run": "running"})

    for force in (False, True):
        with pytest.raises(AirflowSkipException, match=r"downloading in another run.* / a run"):
            run(MonthPendingOperator(task_id="t"), context("another", force=force))
    after = repository.get(MONTH)
    assert before is not None
    assert after is not None
    assert after.replace(alive_until=None) == before.replace(alive_until=None)


def test_a_run_of_another_airflow_is_alive_as_long_as_its_lease_is(
    repository: PostgresMonthRepository, connect: Connect
) -> None:
    other = RunIdentity("discogs_monthly", "a run", "another")
    repository.claim(MONTH, other)

    said = r"another run, .* / a run of another Airflow \(counts as alive until .* UTC\)"
    with pytest.raises(AirflowSkipException, match=said):
        run(MonthPendingOperator(task_id="t"))
    with pytest.raises(MonthTaken):
        fetched()
    assert repository.ensure(MONTH).run == other

    with connect() as conn:
        conn.execute("UPDATE discogs_data_processing SET alive_until = clock_timestamp()")
    assert len(fetched()) == 4
    record = repository.ensure(MONTH)
    assert (record.run, record.retry_count) == (RunIdentity("discogs_monthly", "a run", "tests"), 1)


def test_a_month_that_has_not_begun_is_refused(repository: PostgresMonthRepository) -> None:
    given = {**context(year_month="2099-01"), "exception": None}
    given["dag_run"].partition_key = None

    with pytest.raises(MonthAhead, match="2099-01 has not begun") as refused:
        run(ResolveMonthOperator(task_id="resolve_month"), given)
    assert not refused.value.transient
    failures.task_failed({**given, "exception": refused.value})
    assert repository.all() == []


def test_a_command_is_alive_as_long_as_it_holds_its_months_lock(
    repository: PostgresMonthRepository, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = MONTH.plus(1)
    repository.claim(loading, RunIdentity(COMMAND, "load of a test"))
    with DAG("a_dag", schedule=None):
        pending = MonthPendingOperator(task_id="pending")

    with connect() as conn, advisory_lock(conn, month_lock("discogs", loading), wait=5):
        conn.commit()
        run(pending)
        held = repository.get(loading)
    run(pending)

    assert held is not None
    assert held.status is Status.DOWNLOADING
    left = repository.get(loading)
    assert left is not None
    assert left.status is Status.FAILED
    assert "ended without reporting a result" in str(left.error_message)
