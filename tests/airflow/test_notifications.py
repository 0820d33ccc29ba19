"""Alerts, and what never gets into one; on real receivers and a real database."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from discogs.airflow import notifications
from discogs.airflow.notifications import (
    FailureNotifier,
    LateNotifier,
    RetryLimitNotifier,
    SuccessNotifier,
    without_secrets,
)
from discogs.airflow.targets import Target
from discogs.database.connection import Connect
from discogs.errors import InvalidSetting
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.receivers import Mails, Webhook

MONTH = Month(2026, 5)
RUN = RunIdentity("discogs_monthly", "manual__2026-05")
SECRET = "T0/B0/verysecret"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    webhook = Webhook()
    given = {"conn_type": "http", "host": f"{webhook.url}/services", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_ALERTS", json.dumps(given))
    yield webhook
    webhook.close()


@pytest.fixture
def repository(
    monkeypatch: pytest.MonkeyPatch, target: dict[str, object], connect: Connect
) -> PostgresMonthRepository:
    postgres = {**target, "password": target["password"] or "hunter2hunter2"}
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_POSTGRES", json.dumps(postgres))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example")
    return PostgresMonthRepository(connect)


def context(month: Month = MONTH, run_id: str = RUN.run_id) -> Any:
    run = SimpleNamespace(
        dag_id=RUN.dag_id,
        run_id=run_id,
        partition_key=str(month),
        run_after=dt.datetime(2026, 5, 2, tzinfo=dt.timezone.utc),
        start_date=dt.datetime(2026, 5, 2, tzinfo=dt.timezone.utc),
        conf={},
    )
    return {"dag_run": run, "reason": "task_failure"}


def fail(repository: PostgresMonthRepository, error: str, times: int = 1) -> None:
    for number in range(times):
        run = RUN if number == times - 1 else RunIdentity(RUN.dag_id, f"before {number}")
        repository.ensure(MONTH)
        repository.move(MONTH, Status.DOWNLOADING, run=run)
        repository.move(MONTH, Status.FAILED, run=run, error_message=error)


def test_a_failure_alert_has_the_error_and_nothing_secret(
    repository: PostgresMonthRepository, webhook: Webhook
) -> None:
    fail(
        repository,
        "download: https://me:s3cr3tword@mirror.example/x; PASSWORD = hunter2hunter2;"
        " hunter2hunter2",
    )

    FailureNotifier()(context())

    (sent,) = webhook.received
    assert sent.path == f"/services/{SECRET}"
    assert sent.headers["Content-Type"] == "application/json"
    assert set(sent.body) == {"text"}
    assert "Discogs 2026-05 failed (attempt 1 of 5): download: https://***@mirror.exa" in sent.text
    assert "http://airflow.example/dags/discogs_monthly/runs/manual__2026-05" in sent.text
    for secret in ("s3cr3tword", "hunter2", "verysecret"):
        assert secret not in sent.text


def test_the_last_failure_makes_one_alert(
    repository: PostgresMonthRepository, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCOGS_ALERTS", "failure,retry_limit")
    monkeypatch.setenv("DISCOGS_MAX_ATTEMPTS", "2")
    notifiers = notifications.on_failure(Target())

    fail(repository, "the disk is full")
    for notify in notifiers:
        notify(context())
    fail(repository, "the disk is full", times=2)
    for notify in notifiers:
        notify(context())

    assert ["attempt 1 of 2" in text for text in webhook.texts] == [True, False]
    assert "has failed" in webhook.texts[1]
    assert "no longer tries: the disk is full" in webhook.texts[1]


def test_success_is_sent_for_the_run_that_loaded_the_month_alone(
    repository: PostgresMonthRepository, webhook: Webhook
) -> None:
    SuccessNotifier()(context())
    repository.ensure(MONTH)
    for status in (
        Status.DOWNLOADING,
        Status.READY_FOR_PROCESSING,
        Status.PROCESSING,
        Status.COMPLETED,
    ):
        repository.move(MONTH, status, run=RUN)

    SuccessNotifier()(context(run_id="the day after"))
    SuccessNotifier(text="{{ discogs.month }} of {{ dag_run.run_id }}\n{{ discogs.report }}")(
        context()
    )

    (text,) = webhook.texts
    assert text.startswith("2026-05 of manual__2026-05\n2026-05: completed")


def test_a_late_dump_is_sent_for_the_run_that_has_not_found_it(
    repository: PostgresMonthRepository, webhook: Webhook
) -> None:
    today = dt.datetime.now(dt.timezone.utc).date()
    settings = Settings(late_after_days=min(today.day, 28))
    late = Month.of(today).plus(-1) if today.day <= 28 else Month.of(today)
    notifier = LateNotifier(settings=settings)

    notifier(context(late))  # it never had a run: this database does not follow Discogs
    repository.ensure(late)
    notifier(context(late.plus(-1)))
    notifier(context(late.plus(1)))
    notifier(context(late))
    repository.move(late, Status.DOWNLOADING, run=RunIdentity(RUN.dag_id, "another"))
    notifier(context(late))

    (text,) = webhook.texts
    due = late.first_day + dt.timedelta(days=settings.late_after_days)
    assert f"Discogs {late} was due by {due} and is not_started" in text


@pytest.mark.parametrize(
    ("statuses", "said"), [([500, 503], "status 503"), ([404], "status 404"), ([302], "status 302")]
)
def test_a_receiver_that_refuses_is_a_line_in_the_log_without_its_address(
    repository: PostgresMonthRepository,
    webhook: Webhook,
    statuses: list[int],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail(repository, "why")
    tries = len(statuses)
    webhook.statuses[:] = statuses

    FailureNotifier()(context())

    assert len(webhook.received) == tries
    log = capsys.readouterr().out
    assert f"No alert was sent: connection discogs_alerts: {said}" in log
    assert "services" not in log


def test_a_receiver_that_is_down_or_unknown_fails_nothing(
    repository: PostgresMonthRepository,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail(repository, "why")
    webhook.close()

    FailureNotifier()(context())
    FailureNotifier(text="{{ 1 / 0 }}")(context())
    monkeypatch.delenv("AIRFLOW_CONN_DISCOGS_ALERTS")
    FailureNotifier()(context())

    log = capsys.readouterr().out
    for said in ("discogs_alerts: ConnectionError", "division by zero", "isn't defined"):
        assert said in log
    assert "verysecret" not in log
    webhook.open()


def test_a_run_of_which_only_the_id_is_known_gets_its_alert(webhook: Webhook) -> None:
    for notifier in (FailureNotifier(), RetryLimitNotifier(), SuccessNotifier(), LateNotifier()):
        notifier({"run_id": "a run", "reason": "timed_out"})

    (text,) = webhook.texts
    assert "a run failed" in text
    assert "timed_out" in text


def test_a_mail_is_sent_where_the_connection_is_a_mail_server(
    repository: PostgresMonthRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(repository, "a < b")
    with Mails() as mails:
        extra = {
            "to": "music@example.org",
            "from_email": "airflow@example.org",
            "disable_ssl": True,
            "disable_tls": True,
        }
        given = {"conn_type": "smtp", "host": "127.0.0.1", "port": mails.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_ALERTS", json.dumps(given))
        FailureNotifier()(context())

    (text,) = mails.texts
    assert "Subject: Discogs 2026-05 failed" in text
    assert "To: music@example.org" in text


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ({"conn_type": "smtp", "host": "mail.example"}, "its extra has no `to`"),
        ({"conn_type": "http", "host": "hooks.example", "password": SECRET}, "has no https://"),
    ],
)
def test_what_a_connection_lacks_is_logged(
    repository: PostgresMonthRepository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    connection: dict[str, str],
    said: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_ALERTS", json.dumps(connection))

    FailureNotifier()(context())

    assert said in capsys.readouterr().out


def test_a_login_and_headers_are_sent_as_the_connection_has_them(
    repository: PostgresMonthRepository, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(repository, "why")
    given = {
        "conn_type": "http",
        "host": f"{webhook.url}/hook",
        "login": "me",
        "password": "pw",
        "extra": {"headers": {"X-Team": "music"}},
    }
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_ALERTS", json.dumps(given))
    FailureNotifier()(context())

    (sent,) = webhook.received
    assert (sent.path, sent.headers["Authorization"]) == ("/hook", "Basic bWU6cHc=")
    assert sent.headers["X-Team"] == "music"


def test_no_alert_is_sent_unless_it_is_asked_for() -> None:
    off, on = Target(), Target(overrides={"alerts": ["failure", "retry_limit", "success", "late"]})

    assert (notifications.on_failure(off), notifications.on_success(off)) == ([], [])
    assert len(notifications.on_failure(on)) == 2
    assert len(notifications.on_success(on)) == 2
    with pytest.raises(InvalidSetting, match="retry_limit"):
        Settings.from_environment({"DISCOGS_ALERTS": "failures"})


def test_what_looks_like_a_secret_is_masked() -> None:
    said = without_secrets("postgresql://me:pw@h/db token=abc api_key: xyz Password=1 and more")

    assert said == "postgresql://***@h/db token=*** api_key: *** Password=*** and more"
