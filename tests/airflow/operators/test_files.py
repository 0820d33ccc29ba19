"""The tasks of the files: the claim, downloads that are deferred, and the list of files."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from discogs.airflow.operators.base import WaitFailed
from discogs.airflow.operators.files import ChecksumOperator, DownloadOperator, ReadyOperator
from discogs.airflow.operators.finishing import CompleteOperator
from discogs.airflow.operators.processing import (
    ChecksOperator,
    CheckStagedOperator,
    MergeOperator,
    StageOperator,
)
from discogs.dumps.errors import DumpIncomplete, NotAGzipFile, RequestRefused
from discogs.load.errors import MonthNotReady
from discogs.sample.exchange import Fault
from discogs.sample.mirror import Mirror
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import LEASE, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.airflow.operators.steps import MONTH, STARTED, TaskInstance, context, fetched, run


@pytest.mark.parametrize("answer", [faults.status(404), faults.html()], ids=["404", "a page"])
def test_a_file_that_is_not_there_yet_is_looked_for_again_later(
    repository: PostgresMonthRepository, mirror: Mirror, answer: Fault
) -> None:
    (file,) = fetched(entities=["labels"])
    mirror.add(answer.on("labels"))
    download = DownloadOperator(task_id="t", file=file)

    with pytest.raises(TaskDeferred) as left:
        run(download, context(entities=["labels"]))

    assert left.value.method_name == "resume"
    record = repository.get(MONTH)
    assert record is not None
    assert (record.status, record.error_message) == (Status.DOWNLOADING, None)
    report = download.resume(context(), None, **(left.value.kwargs or {}))
    assert report["download"]["name"].endswith("labels.xml.gz")

    mirror.add(answer.on("artists"))
    (other,) = fetched(entities=["artists"])
    with pytest.raises((DumpIncomplete, NotAGzipFile)):
        DownloadOperator(task_id="t", file=other).resume(context(), None, since=STARTED.isoformat())


def test_a_task_whose_list_of_files_is_gone_says_what_to_clear(
    repository: PostgresMonthRepository,
) -> None:
    for operator in (ReadyOperator(task_id="t"), StageOperator(task_id="t", entity="labels")):
        with pytest.raises(MonthNotReady, match="clear that task and its downstream tasks"):
            run(operator, context(files=None))


def test_a_task_whose_list_of_files_is_gone_finds_them_in_the_rows(
    repository: PostgresMonthRepository,
) -> None:
    asked: dict[str, Any] = {"entities": ["labels", "artists"]}
    gone = context(files=None, **asked)
    for file in fetched(**asked):
        run(ChecksumOperator(task_id="t", file=run(DownloadOperator(task_id="t", file=file), gone)))

    (shard,) = run(ReadyOperator(task_id="t"), gone)
    for entity in asked["entities"]:
        run(StageOperator(task_id="t", entity=entity, **shard), gone)
    run(CheckStagedOperator(task_id="t"), gone)
    for entity in asked["entities"]:
        assert run(MergeOperator(task_id="t", entity=entity), gone)["read"] > 0
    with pytest.raises(AirflowSkipException, match="masters"):
        run(MergeOperator(task_id="t", entity="masters"), gone)
    assert len(run(ChecksOperator(task_id="t"), gone)) > 0
    assert run(CompleteOperator(task_id="t"), gone)["status"] == "completed"


def test_a_month_of_a_run_that_is_alive_is_not_taken(
    repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.claim(MONTH, RunIdentity("discogs_monthly", "the first", "tests"))

    monkeypatch.setattr(TaskInstance, "run_states", {"the first": "running"})
    with pytest.raises(MonthTaken, match="the first"):
        fetched()
    monkeypatch.setattr(TaskInstance, "run_states", {"the first": "failed"})
    assert len(fetched()) == 4


def left_alive(repository: PostgresMonthRepository) -> dt.timedelta:
    until = repository.ensure(MONTH).alive_until
    assert until is not None
    return until - dt.datetime.now(dt.timezone.utc)


def test_a_task_leaves_a_lease_until_its_runs_next_task(
    repository: PostgresMonthRepository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = fetched(entities=["labels"])
    minute = dt.timedelta(minutes=1)
    assert LEASE - minute < left_alive(repository) <= LEASE

    # One that goes to the triggerer, and one that will be tried again.
    monkeypatch.setenv("DISCOGS_POLL_SECONDS", "1800")
    download = DownloadOperator(task_id="t", file=file, max_retry_delay=dt.timedelta(hours=2))
    mirror.add(faults.status(404).on("labels"))
    with pytest.raises(TaskDeferred):
        run(download, context(entities=["labels"]))
    assert LEASE + 29 * minute < left_alive(repository) <= LEASE + 30 * minute
    mirror.add(faults.status(400).on("labels"))
    with pytest.raises(RequestRefused):
        run(download, context(entities=["labels"]))
    assert LEASE + 119 * minute < left_alive(repository) <= LEASE + 120 * minute


def test_a_wait_that_fails_in_the_triggerer_says_so() -> None:
    with pytest.raises(WaitFailed, match=r"wait of ready failed in the triggerer .Trigger failure"):
        ReadyOperator(task_id="ready").resume_execution(
            "__fail__", {"error": "Trigger failure"}, context()
        )
