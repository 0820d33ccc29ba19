"""What a failed task logs and records."""

from __future__ import annotations

import datetime as dt
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from discogs.airflow import failures
from discogs.airflow.operators.files import ReadyOperator
from discogs.airflow.runs import Run
from discogs.airflow.targets import Target
from discogs.database.connection import Connect
from discogs.errors import InvalidMonth
from discogs.load.errors import MonthNotReady
from discogs.tracking.model import Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.operators.steps import MONTH, TaskInstance, context, fetched, run


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


def test_the_error_of_a_task_replaces_a_message_without_a_cause(
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


def test_a_timeout_is_reported_with_what_the_task_was_doing(
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


def test_an_invalid_month_is_one_line_of_the_log(
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
    assert files_of <= {"test_failures.py", "steps.py", "base.py", "operator.py"}


@pytest.mark.parametrize("wrong", ["1850-01", "2026-04"])
def test_a_run_without_a_valid_month_fails_no_month(
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
