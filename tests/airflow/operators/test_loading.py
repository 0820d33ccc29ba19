"""The steps of a month's load, from the claim to the report and the cleanup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow.operators.files import DownloadOperator
from discogs.airflow.operators.finishing import CleanupOperator
from discogs.airflow.operators.planning import MigrateOperator, MonthPendingOperator
from discogs.airflow.operators.processing import ChecksOperator, MergeOperator, StageOperator
from discogs.database.connection import Connect
from discogs.load.errors import ChecksFailed
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.operators.steps import ENTITIES, MONTH, context, fetched, load, run


def test_the_steps_load_a_month_and_the_next_run_has_nothing_to_do(
    repository: PostgresMonthRepository,
) -> None:
    with DAG("a_dag", schedule=None):
        pending = MonthPendingOperator(task_id="pending")
        pending >> MigrateOperator(task_id="next") >> MigrateOperator(task_id="last")
    assert "not_started" in run(pending)

    report = load(shards=2)

    record = repository.get(MONTH)
    assert record is not None
    assert (record.status, record.run) == (
        Status.COMPLETED,
        RunIdentity("discogs_monthly", "a run", "tests"),
    )
    assert {entity: stats["read"] > 0 for entity, stats in record.processing_stats.items()} == (
        dict.fromkeys(ENTITIES, True)
    )
    assert report["status"] == "completed"
    json.dumps(report)
    with pytest.raises(AirflowSkipException, match="2026-05 is completed"):
        run(pending, context("the next run"))


def test_an_entity_that_was_not_asked_for_is_skipped(repository: PostgresMonthRepository) -> None:
    asked: dict[str, Any] = {"entities": ["labels"]}
    given = context(files=fetched(**asked), **asked)

    for operator in (StageOperator, MergeOperator):
        with pytest.raises(AirflowSkipException, match="artists"):
            run(operator(task_id="t", entity="artists"), given)


def test_steps_of_a_completed_month_change_nothing(repository: PostgresMonthRepository) -> None:
    asked: dict[str, Any] = {"entities": ["labels"]}
    files = fetched(**asked)
    load(**asked)
    before = repository.get(MONTH)

    given = context(files=files, **asked)
    assert run(DownloadOperator(task_id="t", file=files[0]), given)["download"] is None
    assert run(StageOperator(task_id="t", entity="labels"), given) is None
    assert run(MergeOperator(task_id="t", entity="labels"), given) is None

    assert repository.get(MONTH) == before


def test_a_failed_check_fails_the_task(
    repository: PostgresMonthRepository, connect: Connect
) -> None:
    files = fetched(entities=["labels"])
    load(entities=["labels"])
    with connect() as conn:
        conn.execute("UPDATE entity_loads SET records = records + 7")

    with pytest.raises(ChecksFailed, match=str(MONTH)):
        run(ChecksOperator(task_id="t"), context(files=files))


def test_cleanup_keeps_files_when_that_is_asked_for(
    repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DISCOGS_KEEP_MONTHS", "0")
    load(entities=["labels"])

    run(CleanupOperator(task_id="t"), context(keep_files=True))
    assert len(list((tmp_path / "storage").glob("*.gz"))) == 1
    report = run(CleanupOperator(task_id="t"))
    assert len(report["deleted"]) == 1
    assert list((tmp_path / "storage").glob("*.gz")) == []
