"""Alerts: a month failed, failed too often, is loaded, or is late.

Off by default; the setting ``DISCOGS_ALERTS`` enables them. Compared with Airflow's own notifiers:
the type of the connection chooses between a webhook and mail, templates can use the month's
tracking row, a message is sent only when it is due, secrets are removed from messages and logs, and
a receiver that is down does not fail a run.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.configuration import conf
from airflow.sdk.log import mask_secret, redact  # type: ignore[attr-defined]

from discogs.airflow.runs import Run, task_name
from discogs.airflow.targets import DUMPS, POSTGRES, Target
from discogs.errors import DiscogsError
from discogs.settings import Settings
from discogs.tracking.report import MonthReport

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from discogs.schema.entities import Month
    from discogs.tracking.model import MonthRecord
    from discogs.tracking.postgres import PostgresMonthRepository

ALERTS = "discogs_alerts"
_LONGEST = 8000  # characters; Slack cuts at 40,000
_SECONDS = 10.0  # for a webhook to answer
_READS = 20  # of the row, half a second apart, until the listener has written it
_TRANSIENT = (429, 500, 502, 503, 504)
_LOGIN = re.compile(r"(?<=://)[^/\s@]*@")
_PASSWORD = re.compile(r"(?i)\b(password|passwd|token|secret|api_?key)(\s*[=:]\s*)\S+")


class DiscogsNotifier(BaseNotifier):
    """Sends a message about a run through the connection ``discogs_alerts``.

    * Type ``http``: a JSON ``{"text": …}`` is posted to the host, such as
      ``https://hooks.slack.com/services``. A password without a login is appended to the address
      as its secret part (Slack's ``T…/B…/…``); with a login, both are sent as basic
      authentication. The extra may hold ``headers``.
    * Type ``smtp``: a mail. The extra holds ``to`` and ``from_email``, in addition to what the
      provider reads.

    Subject and text are templates. In addition to Airflow's context they can use ``discogs``, with
    ``month``, ``status``, ``error``, ``retry_count``, ``limit``, ``report`` (a table), ``due``,
    ``run_id`` and ``url`` (the run's page).

    :param subject: subject of a mail.
    :param text: the message.
    :param alerts_conn_id: connection of the receiver.
    :param postgres_conn_id: connection of the target database, which has the month's row.
    :param dumps_conn_id: connection of the dump server, whose secrets are masked.
    :param settings: default: those of the environment.
    """

    default_subject: ClassVar[str]
    default_text: ClassVar[str]

    def __init__(
        self,
        *,
        subject: str | None = None,
        text: str | None = None,
        alerts_conn_id: str = ALERTS,
        postgres_conn_id: str = POSTGRES,
        dumps_conn_id: str = DUMPS,
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        # Not template_fields: Airflow renders those in place, and one notifier serves many runs.
        self.subject = subject if subject is not None else self.default_subject
        self.text = text if text is not None else self.default_text
        self.alerts_conn_id = alerts_conn_id
        self.postgres_conn_id = postgres_conn_id
        self.dumps_conn_id = dumps_conn_id
        self.settings = settings if settings is not None else Settings.from_environment()

    def is_due(self, record: MonthRecord | None, known: dict[str, Any]) -> bool:
        """Whether a message is to be sent.

        :param record: the month's row; None if there is none, or the database does not answer.
        :param known: the values of ``discogs`` in templates.
        """
        raise NotImplementedError

    def notify(self, context: Context) -> None:
        """Send the message if it is due; errors are only logged."""
        try:
            self._notify(context)
        except Exception as error:
            self.log.warning("No alert was sent: %s", without_secrets(str(error)))

    def _notify(self, context: Any) -> None:
        dag_run = context.get("dag_run")  # None when Airflow knows no task of the run
        run = Run.of(dag_run) if dag_run is not None else None
        month, record = self._row(run) if run is not None else (None, None)
        run_id = run.run_id if run is not None else context["run_id"]
        error = f"The run failed: {context.get('reason', 'unknown reason')}"
        if run is not None and run.refusal is not None:
            error = run.refusal
        elif record is not None and record.error_message:
            error = record.error_message
        elif context.get("ti") is not None:
            error = f"{task_name(context['ti'])} failed; see the task log"
        page = conf.get("api", "base_url", fallback="").rstrip("/")
        known = {
            "month": month or run_id,
            "status": record.status if record is not None else "unknown",
            "error": error,
            "retry_count": record.retry_count if record is not None else 0,
            "limit": self.settings.max_attempts,
            "report": _report(record),
            "due": month and month.first_day + dt.timedelta(days=self.settings.late_after_days),
            "run_id": run_id,
            "url": f"{page}/dags/{run and run.dag_id}/runs/{quote(run_id, safe='')}",
        }
        if self.is_due(record, known):
            for conn_id in (self.postgres_conn_id, self.dumps_conn_id):
                with suppress(Exception):
                    BaseHook.get_connection(conn_id)  # masks its password
            values: Any = {**context, "discogs": known}
            subject = without_secrets(self.render_template(self.subject, values))
            text = without_secrets(self.render_template(self.text, values))
            self._send(subject, text[:_LONGEST])

    def _row(self, run: Run) -> tuple[Month | None, MonthRecord | None]:
        """The run's month and its row, once the row shows that the run has ended.

        The listener writes that in another process, usually before this one reads it.
        """
        month = record = None
        try:
            month = run.month
            for _ in range(_READS):
                record = self.repository().get(month)
                if record is None or not record.status.at_work or not record.is_of(run.identity):
                    break
                time.sleep(0.5)
        except DiscogsError as error:
            self.log.warning("The row of %s could not be read: %s", month or run.run_id, error)
        return month, record

    def repository(self) -> PostgresMonthRepository:
        """The tracking rows."""
        from discogs.airflow.hooks.postgres import DiscogsPostgresHook

        return DiscogsPostgresHook(self.postgres_conn_id, settings=self.settings).repository()

    def _send(self, subject: str, text: str) -> None:
        connection = BaseHook.get_connection(self.alerts_conn_id)
        mail = connection.conn_type in ("smtp", "email")
        if mail and not connection.extra_dejson.get("to"):
            raise ValueError(f"connection {self.alerts_conn_id}: its extra has no `to` address")
        if not mail and not connection.schema and "://" not in str(connection.host):
            # HttpHook would use plain http.
            raise ValueError(f"connection {self.alerts_conn_id}: its host has no https://")
        for left in (1, 0):
            try:
                send = self._mail if mail else self._post
                status = send(connection, subject, text)
            except Exception as error:
                # Not its text: requests puts the whole address in it, secret included.
                why, again = type(error).__name__, True
            else:
                if 200 <= status < 300:
                    self.log.info("Sent through %s: %s", self.alerts_conn_id, subject)
                    return
                why, again = f"status {status}", status in _TRANSIENT
            if not (again and left):
                raise ValueError(f"connection {self.alerts_conn_id}: {why}")
            time.sleep(1)

    def _mail(self, connection: Connection, subject: str, text: str) -> int:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        SmtpNotifier(
            smtp_conn_id=self.alerts_conn_id,
            to=connection.extra_dejson["to"],
            subject=subject,
            html_content=f"<pre>{html.escape(text)}</pre>",
        ).notify({})
        return 200

    def _post(self, connection: Connection, _subject: str, text: str) -> int:
        from airflow.providers.http.hooks.http import HttpHook

        # HttpHook sends each entry of the extra as a header, also `headers` itself.
        headers = {**connection.extra_dejson.get("headers", {}), "headers": None}
        secret = None if connection.login else connection.password
        for hidden in (urlsplit(connection.host or "").path.strip("/"), *headers.values()):
            if hidden:
                mask_secret(hidden)
        hook = HttpHook(http_conn_id=self.alerts_conn_id)
        # Not HttpNotifier: its hook logs the address, secret included, of a receiver that is down,
        # and counts a redirect as sent. No redirects: another host must not get the secret.
        with hook.get_conn(headers=headers) as session:
            answer = session.post(
                hook.url_from_endpoint(secret),
                json={"text": text},
                timeout=_SECONDS,
                allow_redirects=False,
            )
        return int(answer.status_code)


class FailureNotifier(DiscogsNotifier):
    """A run failed. For the DAG's ``on_failure_callback``."""

    default_subject = "Discogs {{ discogs.month }} failed"
    default_text = (
        "Discogs {{ discogs.month }} failed (attempt {{ discogs.retry_count }} of"
        " {{ discogs.limit }}): {{ discogs.error }}\n"
        "When the cause is fixed, clear the failed task: {{ discogs.url }}"
    )

    def is_due(self, record: MonthRecord | None, known: dict[str, Any]) -> bool:
        sent_by_other = "retry_limit" in self.settings.alerts
        return not (sent_by_other and known["retry_count"] >= known["limit"])


class RetryLimitNotifier(DiscogsNotifier):
    """A month failed so often that the schedule stops trying. For ``on_failure_callback``."""

    default_subject = "Discogs {{ discogs.month }} has failed too often"
    default_text = (
        "Discogs {{ discogs.month }} has failed {{ discogs.retry_count }} times (the limit is"
        " {{ discogs.limit }}), and the schedule no longer tries: {{ discogs.error }}\n"
        "When the cause is fixed, clear the run, or trigger the month with *Force*: "
        "{{ discogs.url }}"
    )

    def is_due(self, record: MonthRecord | None, known: dict[str, Any]) -> bool:
        return bool(known["retry_count"] >= known["limit"])


class SuccessNotifier(DiscogsNotifier):
    """A month is loaded. For the DAG's ``on_success_callback``; nothing is sent for a run that
    found its month loaded already."""

    default_subject = "Discogs {{ discogs.month }} is loaded"
    default_text = (
        "Discogs {{ discogs.month }} is loaded: {{ discogs.url }}\n```\n{{ discogs.report }}\n```"
    )

    def is_due(self, record: MonthRecord | None, known: dict[str, Any]) -> bool:
        return known["status"] == "completed" and _is_of(record, known["run_id"])


class LateNotifier(DiscogsNotifier):
    """A run did not find the dump of its month, and the month is late as defined by
    :func:`discogs.tracking.reconciliation.late`. For ``on_success_callback``."""

    default_subject = "Discogs {{ discogs.month }} is late"
    default_text = (
        "Discogs {{ discogs.month }} was due by {{ discogs.due }} and is {{ discogs.status }};"
        " this run did not find its dump: {{ discogs.url }}"
    )

    def is_due(self, record: MonthRecord | None, known: dict[str, Any]) -> bool:
        from discogs.tracking.reconciliation import late

        today = dt.datetime.now(dt.timezone.utc).date()
        found = late(self.repository().all(), today, self.settings.late_after_days)
        return found is not None and found.is_waited_for and found.month == known["month"]


def on_failure(target: Target, alerts_conn_id: str = ALERTS) -> list[Callable[[Context], None]]:
    """The notifiers that the setting ``alerts`` asks for when a run fails."""
    kinds = {"failure": FailureNotifier, "retry_limit": RetryLimitNotifier}
    return _chosen(kinds, target, alerts_conn_id)


def on_success(target: Target, alerts_conn_id: str = ALERTS) -> list[Callable[[Context], None]]:
    """The notifiers that the setting ``alerts`` asks for when a run does not fail."""
    kinds = {"success": SuccessNotifier, "late": LateNotifier}
    return _chosen(kinds, target, alerts_conn_id)


def _chosen(
    kinds: Mapping[str, type[DiscogsNotifier]], target: Target, alerts_conn_id: str
) -> list[Callable[[Context], None]]:
    settings = target.settings
    return [
        kind(
            alerts_conn_id=alerts_conn_id,
            postgres_conn_id=target.postgres_conn_id,
            dumps_conn_id=target.dumps_conn_id,
            settings=settings,
        )
        for name, kind in kinds.items()
        if name in settings.alerts
    ]


def without_secrets(text: str) -> str:
    """Mask logins in addresses, passwords, and the secrets that Airflow knows."""
    text = _LOGIN.sub("***@", text)
    text = _PASSWORD.sub(r"\1\2***", text)
    return str(redact(text))


def _report(record: MonthRecord | None) -> str:
    return MonthReport.of(record, last_load=True).as_text() if record is not None else ""


def _is_of(record: MonthRecord | None, run_id: str) -> bool:
    return record is not None and record.run is not None and record.run.run_id == run_id
