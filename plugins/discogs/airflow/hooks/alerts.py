"""The receiver of alerts, by a connection: a webhook, or a mail server."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from discogs.errors import AlertNotSent

if TYPE_CHECKING:
    from airflow.sdk import Connection

_SECONDS = 10.0
_TRIES = 2
_MAY_PASS = frozenset({429, 500, 502, 503, 504})


class DiscogsAlertsHook(BaseHook):
    """Sends one message through a connection.

    * Type ``http``: a JSON ``{"text": …}`` is posted to the host, such as
      ``https://hooks.slack.com/services``. A password without a login is the secret end of the
      address (Slack's ``T…/B…/…``); with a login, both are sent as basic authentication. The
      extra may hold ``headers``.
    * Type ``smtp``: a mail, through the smtp provider. The extra holds ``to`` and ``from_email``,
      besides what the provider reads.

    :param alerts_conn_id: the connection's id.
    """

    default_conn_name = "discogs_alerts"
    hook_name = "Discogs alerts"

    def __init__(self, alerts_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.alerts_conn_id = alerts_conn_id

    def send(self, subject: str, text: str) -> None:
        """Send a message.

        :raises AlertNotSent: for whatever reason; the message names no secret.
        """
        try:
            connection = self.get_connection(self.alerts_conn_id)
        except Exception as error:  # each kind of Airflow has its own way to say that it is missing
            why = f"the connection was not found ({type(error).__name__})"
            raise AlertNotSent(self.alerts_conn_id, "unknown", why) from None
        if connection.conn_type in ("smtp", "email"):
            self._mail(connection, subject, text)
        else:
            self._post(connection, text)

    def _post(self, connection: Connection, text: str) -> None:
        import requests

        url = _address(connection)
        parts = urlsplit(url)
        where = f"{parts.scheme}://{parts.hostname}"
        headers: dict[str, str] = connection.extra_dejson.get("headers") or {}
        for secret in (connection.password, parts.path.strip("/"), parts.query, *headers.values()):
            if secret:
                mask_secret(secret)
        options: dict[str, Any] = {
            "json": {"text": text},
            "headers": headers,
            "timeout": _SECONDS,
            "allow_redirects": False,  # the secret is for this host alone
        }
        if connection.login:
            options["auth"] = (connection.login, connection.password or "")
        for left in reversed(range(_TRIES)):
            try:
                with requests.post(url, **options) as answer:
                    status = answer.status_code
            except requests.RequestException as error:
                # Its text has the whole address.
                why, again = f"it cannot be reached ({type(error).__name__})", True
            else:
                if 200 <= status < 300:
                    return
                why, again = f"it answered with status {status}", status in _MAY_PASS
            if not (again and left):
                raise AlertNotSent(self.alerts_conn_id, where, why)
            time.sleep(1)

    def _mail(self, connection: Connection, subject: str, text: str) -> None:
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        extra = connection.extra_dejson
        where = f"smtp://{connection.host}"
        if not extra.get("to") or not extra.get("from_email"):
            why = "its extra must hold to and from_email"
            raise AlertNotSent(self.alerts_conn_id, where, why)
        try:
            with SmtpHook(self.alerts_conn_id) as hook:
                hook.send_email_smtp(
                    to=extra["to"],
                    from_email=extra["from_email"],
                    subject=subject,
                    html_content=f"<pre>{html.escape(text)}</pre>",
                )
        except Exception as error:  # of smtplib, the socket or the provider
            code = getattr(error, "smtp_code", None)
            why = f"{type(error).__name__}{f' {code}' if code else ''}"
            raise AlertNotSent(self.alerts_conn_id, where, why) from None


def _address(connection: Connection) -> str:
    host = connection.host or ""
    if "://" not in host:
        port = f":{connection.port}" if connection.port else ""
        host = f"{connection.schema or 'https'}://{host}{port}"
    if connection.password and not connection.login:
        host = f"{host.rstrip('/')}/{connection.password.lstrip('/')}"
    return host
