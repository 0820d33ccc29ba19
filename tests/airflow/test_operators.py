"""The operators, one after the other, on a real PostgreSQL and a real mirror."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout, TaskDeferred

from discogs.airflow import failures
from discogs.airflow.operators.base import DiscogsOperator, TaskStopped, WaitFailed
from discogs.airflow.operators.exporting import (
    BeginExportOperator,
    PublishExportOperator,
    WriteExportOperator,
)
from discogs.airflow.operators.files import (
    ChecksumOperator,
    DownloadOperator,
    FetchChecksumsOperator,
    ReadyOperator,
)
from discogs.airflow.operators.finishing import CleanupOperator, CompleteOperator
from discogs.airflow.operators.planning import (
    MigrateOperator,
    MonthPendingOperator,
    ResolveMonthOperator,
)
from discogs.airflow.operators.processing import (
    ChecksOperator,
    CheckStagedOperator,
    MergeOperator,
    StageOperator,
)
from discogs.airflow.runs import Run
from discogs.airflow.targets import Target
from discogs.database.connection import Connect
from discogs.database.locking import advisory_lock
from discogs.dumps.errors import DumpIncomplete, NotAGzipFile, RequestRefused
from discogs.errors import InvalidMonth, InvalidSetting
from discogs.load.errors import (
    ChecksFailed,
    ExportIncomplete,
    MonthAhead,
    MonthMismatch,
    MonthNotReady,
)
from discogs.load.locks import COMMAND, month_lock
from discogs.sample.exchange import Fault
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from discogs.schema.filters import InvalidFilter
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import LEASE, RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests import faults
from tests.sample.odd_records import write_months

MONTH = Month(2026, 5)
STARTED = dt.datetime(2026, 5, 2, tzinfo=dt.timezone.utc)
ENTITIES = ["labels", "artists", "masters", "releases"]


class TaskInstance(SimpleNamespace):
    """What the operators ask of Airflow, with fixed answers."""

    run_states: dict[str, str] = {}  # noqa: RUF012

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(self.run_states.get(run_id) in states for run_id in run_ids)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed = {**getattr(self, "pushed", {}), key: value}

    def xcom_pull(self, task_ids: str) -> Any:
        assert task_ids == "fetch_checksums"
        return self.files


def context(run_id: str = "a run", *, files: Any = None, **params: Any) -> Any:
    """What Airflow gives to a task.

    :param files: what the run's task ``fetch_checksums`` has returned.
    :param params: what the run was triggered with.
    """
    run = SimpleNamespace(
        dag_id="discogs_monthly",
        run_id=run_id,
        partition_key=str(MONTH),
        run_after=STARTED,
        start_date=STARTED,
        conf=params,
    )
    ti = TaskInstance(task_id="a_task", map_index=-1, rendered_map_index=None, files=files)
    task = SimpleNamespace(dag_id="discogs_monthly", execution_timeout=None)
    return {"dag_run": run, "params": params, "ti": ti, "task": task}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    write_months(folder, MONTH, releases=200, seed=3)
    return folder


@pytest.fixture
def mirror(folder: Path) -> Iterator[Mirror]:
    with Mirror(folder) as mirror:
        yield mirror


@pytest.fixture
def repository(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    target: dict[str, object],
    connect: Connect,
    mirror: Mirror,
) -> PostgresMonthRepository:
    """The tracking rows of the database that the connection ``discogs_postgres`` leads to."""
    dumps = {"conn_type": "http", "host": mirror.url}
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_DUMPS", json.dumps(dumps))
    monkeypatch.setenv("DISCOGS_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("DISCOGS_DISK_MARGIN", "0")
    monkeypatch.setenv("DISCOGS_WORKERS", "1")
    return PostgresMonthRepository(connect)


def run(operator: DiscogsOperator, given: Any | None = None) -> Any:
    return operator.execute(given if given is not None else context())


def fetched(**params: Any) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = run(FetchChecksumsOperator(task_id="t"), context(**params))
    return files


def load(**params: Any) -> dict[str, Any]:
    """All steps from the claim to the report."""
    files = fetched(**params)
    given = context(files=files, **params)
    for file in files:
        downloaded = run(DownloadOperator(task_id="t", file=file), given)
        run(ChecksumOperator(task_id="t", file=downloaded), given)
    shards = run(ReadyOperator(task_id="t"), given)
    for entity in params.get("entities", ENTITIES):
        for shard in shards:
            run(StageOperator(task_id="t", entity=entity, **shard), given)
    run(CheckStagedOperator(task_id="t"), given)
    for entity in params.get("entities", ENTITIES):
        run(MergeOperator(task_id="t", entity=entity), given)
    if os.environ.get("DISCOGS_EXPORT"):
        for part in run(BeginExportOperator(task_id="t"), given):
            run(WriteExportOperator(task_id="t", **part), given)
        run(PublishExportOperator(task_id="t"), given)
    run(ChecksOperator(task_id="t"), given)
    report: dict[str, Any] = run(CompleteOperator(task_id="t"), given)
    return report


def test_a_run_is_about_what_the_form_says(repository: PostgresMonthRepository) -> None:
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


def test_a_month_is_exported_once_and_each_part_of_it_may_be_tried_again(
    repository: PostgresMonthRepository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "parquet"
    monkeypatch.setenv("DISCOGS_EXPORT", str(out))
    asked: dict[str, Any] = {"entities": ["labels", "masters"], "shards": 2}
    begin, publish = BeginExportOperator(task_id="t"), PublishExportOperator(task_id="t")
    part = WriteExportOperator(task_id="t", entity="masters", shard=1, shards=2)

    report = load(**asked)

    manifest_file = out / "_manifest" / f"{MONTH}.json"
    manifest = json.loads(manifest_file.read_text())
    counted = {
        entity: counts["read"] - counts["rejected"] for entity, counts in report["entities"].items()
    }
    assert {e: each["exported"] for e, each in manifest["entities"].items()} == counted
    logged = capsys.readouterr().out
    assert f"{MONTH} is exported to {out} in 4 parts." in logged
    assert "masters, shard 2 of 2: " in logged
    assert f"{MONTH} is exported to {out}: {len(manifest['tables'])} tables, " in logged

    # The tasks of a completed month do nothing, as others do.
    given = context(**asked)
    with pytest.raises(AirflowSkipException, match="2026-05 is completed: nothing is exported"):
        run(begin, given)
    assert run(part, given) is None
    assert run(publish, given) is None

    # The same files again, a part of them alone, and other entities.
    files = fetched(**asked, force=True)
    given = context(files=files, **asked)
    for file in files:
        run(ChecksumOperator(task_id="t", file=file), given)
    run(ReadyOperator(task_id="t"), given)
    with pytest.raises(AirflowSkipException, match=r"already exported to .*, from the same files"):
        run(begin, given)
    assert run(part, given)["read"] > 0
    assert run(publish, given) is None
    other = context(files=[file for file in files if file["entity"] == "labels"])
    with pytest.raises(AirflowSkipException, match=r"is kept, since it also has masters"):
        run(begin, other)
    assert json.loads(manifest_file.read_text()) == manifest
    assert not (out / "_writing").exists()

    # A worker with another folder, and one without.
    monkeypatch.setenv("DISCOGS_EXPORT", str(tmp_path / "elsewhere"))
    with pytest.raises(ExportIncomplete, match=r"missing: labels, shard 1 of 2; .* export\.begin"):
        run(PublishExportOperator(task_id="t"), given)
    monkeypatch.delenv("DISCOGS_EXPORT")
    with pytest.raises(InvalidSetting, match="DISCOGS_EXPORT is ''"):
        run(BeginExportOperator(task_id="t"), given)


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


def test_an_entity_that_was_not_asked_for_is_skipped(repository: PostgresMonthRepository) -> None:
    asked: dict[str, Any] = {"entities": ["labels"]}
    given = context(files=fetched(**asked), **asked)

    for operator in (StageOperator, MergeOperator):
        with pytest.raises(AirflowSkipException, match="artists"):
            run(operator(task_id="t", entity="artists"), given)


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


def test_a_month_of_a_run_that_is_alive_is_not_taken(
    repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.claim(MONTH, RunIdentity("discogs_monthly", "the first", "tests"))

    monkeypatch.setattr(TaskInstance, "run_states", {"the first": "running"})
    with pytest.raises(MonthTaken, match="the first"):
        fetched()
    monkeypatch.setattr(TaskInstance, "run_states", {"the first": "failed"})
    assert len(fetched()) == 4


def test_a_run_of_a_month_at_work_ends_skipped_and_leaves_it_alone(
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


def test_a_month_that_has_not_begun_is_refused(repository: PostgresMonthRepository) -> None:
    given = {**context(year_month="2099-01"), "exception": None}
    given["dag_run"].partition_key = None

    with pytest.raises(MonthAhead, match="2099-01 has not begun") as refused:
        run(ResolveMonthOperator(task_id="resolve_month"), given)
    assert not refused.value.transient
    failures.task_failed({**given, "exception": refused.value})
    assert repository.all() == []


def test_a_command_is_at_work_as_long_as_it_holds_its_months_lock(
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


def test_the_first_failure_of_a_run_is_recorded(repository: PostgresMonthRepository) -> None:
    fetched()
    ti = TaskInstance(task_id="download", map_index=2, rendered_map_index="releases")

    failures.task_failed({**context(), "ti": ti, "exception": ValueError("out of luck")})
    failures.task_failed({**context(), "exception": ValueError("later")})
    failures.record(Target(), Run.of(context()["dag_run"]), "The run failed: task_failure")

    record = repository.get(MONTH)
    assert record is not None
    assert (record.status, record.retry_count) == (Status.FAILED, 1)
    assert record.error_message == "download [releases]: out of luck"
    assert ti.pushed == {"summary": "download [releases]: out of luck"}


def test_the_error_of_a_task_takes_the_place_of_what_explains_nothing(
    repository: PostgresMonthRepository,
) -> None:
    fetched()
    this = Run.of(context()["dag_run"])

    failures.record(Target(), this, failures.explanation("task_failure", ["download [releases]"]))
    failures.task_failed({**context(), "exception": ValueError("out of luck")})
    failures.task_failed({**context(), "exception": ValueError("later")})
    failures.record(Target(), this, failures.explanation("task_failure", ["download [releases]"]))

    record = repository.ensure(MONTH)
    assert (record.retry_count, record.error_message) == (1, "a_task: out of luck")


def test_a_failure_that_no_task_has_explained_names_the_tasks() -> None:
    assert failures.explanation("task_failure", ["ready", "merge.labels"]) == (
        "merge.labels, ready failed without an error message (killed or timed out); see the task"
        " log."
    )
    late = failures.explanation("timed out after 1:00:00 (dagrun_timeout)", ["stage.labels"])
    assert late == (
        "The run timed out after 1:00:00 (dagrun_timeout) in stage.labels. Increase the limit and"
        " clear the stopped tasks."
    )


def test_a_time_out_is_named_with_what_the_task_was_doing(
    repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched()
    limit = dt.timedelta(minutes=10)

    def message(**task: Any) -> str:
        given = context()
        given["task"] = SimpleNamespace(dag_id="a", execution_timeout=limit, **task)
        failures.task_failed({**given, "exception": AirflowTaskTimeout("Timeout, PID: 6003")})
        return str(given["ti"].pushed["summary"])

    said = "a_task: timed out after 0:10:00 (execution_timeout)"
    assert message().startswith(f"{said}. Increase the limit")
    staging = message(doing="staging discogs_20260501_releases.xml.gz")
    assert staging.startswith(f"{said} while staging discogs_20260501_releases.xml.gz.")
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_EXECUTION_TIMEOUT", "600")
    assert "(Airflow's setting default_task_execution_timeout)" in message()
    record = repository.get(MONTH)
    assert record is not None
    assert str(record.error_message).startswith(said)


def test_a_month_that_is_none_is_a_line_of_the_log_too(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    given = context()
    given["dag_run"].partition_key = "1850-01"
    with pytest.raises(InvalidMonth):
        run(ReadyOperator(task_id="t"), given)
    said = caplog.text or capsys.readouterr().out
    assert "a_task failed: '1850-01' is not a month" in said


def test_an_error_is_a_line_of_the_log_before_a_short_traceback(
    repository: PostgresMonthRepository,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = fetched(entities=["labels"])
    with pytest.raises(MonthNotReady) as caught:
        run(ReadyOperator(task_id="t"), context(files=files))
    # Airflow's logger writes to one or the other, by what was imported before.
    said = caplog.text or capsys.readouterr().out
    assert said.count(f"a_task failed: {caught.value}") == 1
    assert caught.value.__cause__ is None
    frames = traceback.extract_tb(caught.value.__traceback__)
    # The last is Airflow's, around every operator's execute.
    files_of = {Path(frame.filename).name for frame in frames}
    assert files_of <= {"test_operators.py", "base.py", "operator.py"}


@pytest.mark.parametrize("wrong", ["1850-01", "2026-04"])
def test_a_run_that_names_no_month_fails_none(
    repository: PostgresMonthRepository, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    failures.task_failed({**context(year_month=wrong), "exception": ValueError("out of luck")})

    assert repository.all() == []
    assert "The failure could not be recorded" in caplog.messages[0]


def test_a_failure_before_there_are_tables_is_logged_in_one_line(
    repository: PostgresMonthRepository, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with connect() as conn:
        conn.execute("DROP SCHEMA discogs CASCADE")

    failures.task_failed({**context(), "exception": ValueError("out of luck")})

    (message,) = caplog.messages
    # Its task migrate has failed, and says why: to run the command would fail likewise.
    assert "out of luck" in message
    assert "migrate` first" not in message


class Sleeper(DiscogsOperator):
    """Runs a statement that would take a minute."""

    def work(self, context: Any) -> None:
        with self.postgres.connect() as conn:
            conn.execute("SELECT pg_sleep(60)")


def test_a_task_that_is_stopped_cancels_its_statement_and_ends(
    repository: PostgresMonthRepository, connect: Connect
) -> None:
    operator = Sleeper(task_id="t")
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGTERM])
    timer.start()
    started = time.monotonic()
    try:
        with pytest.raises(TaskStopped):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGTERM, before)
        timer.join()

    assert time.monotonic() - started < 10
    with connect() as conn:
        running = conn.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'active'"
            " AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert running == (0,)


def test_after_its_end_a_task_cannot_be_stopped() -> None:
    Sleeper(task_id="t").on_kill()
