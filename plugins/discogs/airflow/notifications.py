"""What somebody is told of a month: that it failed, that it is loaded, that its dump is late.

Off by default; the setting ``DISCOGS_ALERTS`` chooses. A receiver that is down never fails a run.
"""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import AsyncCallback, DeadlineAlert  # type: ignore[attr-defined]
from airflow.sdk.bases.notifier import BaseNotifier

from discogs.airflow.deadlines import RunQueued
from discogs.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.schema.entities import Month
    from discogs.tracking.model import MonthRecord

#: Days into a month after which nobody is waiting for its dump any more.
_TOLD_DAYS = 62
_LONGEST = 8000  # characters; Slack cuts at 40,000
_LOGIN = re.compile(r"(?<=://)[^/\s@]*@")
_PASSWORD = re.compile(r"(?i)\b(password|passwd|token|secret|api_?key)(\s*[=:]\s*)\S+")


class DiscogsNotifier(BaseNotifier):
    """Sends a message about a run through :class:`~discogs.airflow.hooks.alerts.DiscogsAlertsHook`.

    Both texts are templates. Besides Airflow's context they know ``discogs``: ``month``,
    ``status``, ``error``, ``retry_count``, ``limit``, ``report`` (a table), ``due``, ``run_id``
    and ``url`` (the run's page).

    :param subject: of a mail.
    :param text: the message.
    :param alerts_conn_id: connection of the receiver.
    :param postgres_conn_id: connection of the target database, where the month's row is read.
    """

    template_fields: Sequence[str] = ("subject", "text", "alerts_conn_id")
    default_subject = ""
    default_text = ""

    def __init__(
        self,
        *,
        subject: str | None = None,
        text: str | None = None,
        alerts_conn_id: str = "discogs_alerts",
        postgres_conn_id: str = "discogs_postgres",
        context: Context | None = None,
    ) -> None:
        super().__init__(context)
        self.subject = subject if subject is not None else self.default_subject
        self.text = text if text is not None else self.default_text
        self.alerts_conn_id = alerts_conn_id
        self.postgres_conn_id = postgres_conn_id

    def is_due(self, record: MonthRecord | None, run: Mapping[str, Any]) -> bool:
        """Whether this is worth a message.

        :param record: the month's row; None when there is none, or the database is away.
        :param run: the values of ``discogs`` that templates know.
        """
        raise NotImplementedError

    # -- what Airflow calls ----------------------------------------------------------------

    def __call__(self, *args: Any) -> None:
        context = args[0]
        try:
            known = self._known(context)
            if known is not None:
                # Rendering changes a notifier for good, and this one may be called again.
                BaseNotifier.__call__(copy.copy(self), {**context, "discogs": known})
        except Exception as error:  # an alert never fails what it tells of
            self.log.warning("No alert was sent: %s", without_secrets(str(error)))

    def __await__(self) -> Any:
        return self.async_notify(self.context).__await__()

    def notify(self, context: Context) -> None:
        """Send the rendered texts; a receiver that is down is a line in the log."""
        from discogs.airflow.hooks.alerts import DiscogsAlertsHook
        from discogs.errors import AlertNotSent

        self._mask_connections()
        text, subject = without_secrets(self.text)[:_LONGEST], without_secrets(self.subject)
        try:
            DiscogsAlertsHook(self.alerts_conn_id).send(subject, text)
        except AlertNotSent as error:
            self.log.warning("%s", error)
        else:
            self.log.info("Sent through %s: %s", self.alerts_conn_id, subject)

    async def async_notify(self, context: Context) -> None:
        """The same, off the triggerer's event loop."""
        import asyncio

        await asyncio.to_thread(self, context)

    # -- inside ----------------------------------------------------------------------------

    def _known(self, context: Any) -> dict[str, Any] | None:
        """What the templates are told; None when there is nothing to tell."""
        from airflow.sdk.configuration import conf

        from discogs.tracking.report import MonthReport

        dag_run = context.get("dag_run")
        month = _month(dag_run)
        record = self._record(month) if month is not None else None
        run_id = _of(dag_run, "run_id") or context.get("run_id", "")
        dag_id = _of(dag_run, "dag_id")
        page = conf.get("api", "base_url", fallback="").rstrip("/")
        limits = Settings.from_environment()
        said = record.error_message if record is not None and _is_of(record, run_id) else None
        known = {
            "month": str(month) if month is not None else run_id,
            "status": str(record.status) if record is not None else "unknown",
            "error": said or context.get("reason") or "see the logs of its tasks",
            "retry_count": record.retry_count if record is not None else 0,
            "limit": limits.max_attempts,
            "report": MonthReport.of(record).as_text() if record is not None else "",
            "due": _due(month, limits) if month is not None else None,
            "run_id": run_id,
            "url": f"{page}/dags/{dag_id}/runs/{quote(run_id, safe='')}",
        }
        return known if self.is_due(record, known) else None

    def _record(self, month: Month) -> MonthRecord | None:
        from discogs.airflow.hooks.postgres import DiscogsPostgresHook
        from discogs.errors import DiscogsError

        try:
            return DiscogsPostgresHook(self.postgres_conn_id).repository().get(month)
        except DiscogsError as error:
            self.log.warning("The row of %s could not be read: %s", month, error)
            return None

    def _mask_connections(self) -> None:
        """Have Airflow mask the passwords that an error's text might hold."""
        from airflow.sdk import BaseHook
        from airflow.sdk.log import mask_secret

        for conn_id in (self.postgres_conn_id, "discogs_dumps"):
            with suppress(Exception):  # a connection that is not there has no password
                password = BaseHook.get_connection(conn_id).password
                if password:
                    mask_secret(password)


class FailureNotifier(DiscogsNotifier):
    """A run failed. For ``on_failure_callback`` of the DAG, behind what records the failure."""

    default_subject = "Discogs {{ discogs.month }} failed"
    default_text = (
        "Discogs {{ discogs.month }} failed (attempt {{ discogs.retry_count }} of"
        " {{ discogs.limit }}): {{ discogs.error }}\n"
        "When the cause is gone, clear the failed task: {{ discogs.url }}"
    )

    def is_due(self, record: MonthRecord | None, run: Mapping[str, Any]) -> bool:
        told_elsewhere = "retry_limit" in Settings.from_environment().alerts
        return not (told_elsewhere and run["retry_count"] >= run["limit"])


class RetryLimitNotifier(DiscogsNotifier):
    """A month has failed as often as it may: the schedule no longer tries. For the same place."""

    default_subject = "Discogs {{ discogs.month }} has failed too often"
    default_text = (
        "Discogs {{ discogs.month }} has failed {{ discogs.retry_count }} times (the limit is"
        " {{ discogs.limit }}), and the schedule no longer tries: {{ discogs.error }}\n"
        "When the cause is gone, clear the run, or trigger the month with *Force*: "
        "{{ discogs.url }}"
    )

    def is_due(self, record: MonthRecord | None, run: Mapping[str, Any]) -> bool:
        return record is not None and run["retry_count"] >= run["limit"]


class SuccessNotifier(DiscogsNotifier):
    """A month is loaded. For ``on_success_callback`` of the DAG; says nothing of a day's run that
    found its month loaded already."""

    default_subject = "Discogs {{ discogs.month }} is loaded"
    default_text = (
        "Discogs {{ discogs.month }} is loaded: {{ discogs.url }}\n```\n{{ discogs.report }}\n```"
    )

    def is_due(self, record: MonthRecord | None, run: Mapping[str, Any]) -> bool:
        return record is not None and run["status"] == "completed" and _is_of(record, run["run_id"])


class LateNotifier(DiscogsNotifier):
    """A run has not found a dump that should be out.

    For a Deadline Alert on a run's start (a partitioned run has no logical date), which tells of
    the present month, whose dump is waited for; and, as ``LateNotifier(month_over=True)``, for
    ``on_success_callback``, which tells of a month that is over, whose run has ended. Says nothing
    before the month's day (``DISCOGS_LATE_AFTER_DAYS``), of a month that is being loaded, and of
    one that is long past.

    :param month_over: whether to tell of a month that is over, or of the present one.
    """

    default_subject = "Discogs {{ discogs.month }} is late"
    default_text = (
        "Discogs {{ discogs.month }} was due by {{ discogs.due }} and is {{ discogs.status }};"
        " this run has not found its dump: {{ discogs.url }}"
    )

    def __init__(self, *, month_over: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.month_over = month_over

    def is_due(self, record: MonthRecord | None, run: Mapping[str, Any]) -> bool:
        today, settings = dt.datetime.now(dt.timezone.utc).date(), Settings.from_environment()
        if run["due"] is None or today < run["due"]:
            return False
        if self.month_over != (run["month"] < f"{today:%Y-%m}"):
            return False
        if (today - run["due"]).days > _TOLD_DAYS - settings.late_after_days:
            return False
        return record is None or record.status.value in ("not_started", "failed")


# -- what the DAG is given -----------------------------------------------------------------


def on_failure(settings: Settings) -> list[Callable[[Context], None]]:
    """The notifiers of a failed run that the settings ask for."""
    kinds: dict[str, type[DiscogsNotifier]] = {
        "failure": FailureNotifier,
        "retry_limit": RetryLimitNotifier,
    }
    return [kind() for name, kind in kinds.items() if name in settings.alerts]


def on_success(settings: Settings) -> list[Callable[[Context], None]]:
    """The notifiers of a run that ended well."""
    kinds: dict[str, DiscogsNotifier] = {
        "success": SuccessNotifier(),
        "late": LateNotifier(month_over=True),
    }
    return [notifier for name, notifier in kinds.items() if name in settings.alerts]


def on_late(settings: Settings) -> DeadlineAlert | None:
    """The deadline of a run that waits for a late dump."""
    if "late" not in settings.alerts:
        return None
    return DeadlineAlert(
        reference=RunQueued(),
        interval=dt.timedelta(seconds=settings.late_wait_seconds),
        callback=AsyncCallback(LateNotifier),
        name="late dump",
    )


def without_secrets(text: str) -> str:
    """A text without logins in addresses, passwords, and whatever Airflow knows as secret."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    text = _LOGIN.sub("***@", text)
    text = _PASSWORD.sub(r"\1\2***", text)
    return str(redact(text))


def _due(month: Month, settings: Settings) -> dt.date:
    return month.first_day + dt.timedelta(days=settings.late_after_days)


def _month(dag_run: Any) -> Month | None:
    """A run's month; None of a run of which Airflow tells nothing but its id."""
    from discogs.load.options import resolve_month

    if dag_run is None:
        return None
    after = _of(dag_run, "run_after")
    if isinstance(after, str):
        after = dt.datetime.fromisoformat(after.replace("Z", "+00:00"))
    key = _of(dag_run, "partition_key")
    asked = None if key else (_of(dag_run, "conf") or {}).get("year_month")
    return resolve_month(partition_key=key, year_month=asked, run_after=after)


def _of(dag_run: Any, name: str) -> Any:
    """A value of a run, which a Deadline Alert gets as a mapping."""
    return dag_run.get(name) if isinstance(dag_run, Mapping) else getattr(dag_run, name, None)


def _is_of(record: MonthRecord, run_id: str) -> bool:
    return record.run is not None and record.run.run_id == run_id
