"""The server of dumps, by an HTTP connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.http.hooks.http import HttpHook

from discogs.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from requests import Session

    from discogs.dumps.source import DumpSource
    from discogs.schema.entities import Month

DEFAULT_LAYOUT = "data.discogs.com"


class DiscogsDumpsHook(HttpHook):
    """A server of dumps, as an HTTP connection describes it.

    The connection's host is the address (``https://data.discogs.com``), login and password are
    sent as basic authentication, and the extra holds, besides what :class:`HttpHook` reads:

    * ``layout``: ``data.discogs.com`` (the default) or ``s3``.
    * ``headers``: sent with every request, such as ``{"User-Agent": "…"}``.

    :param http_conn_id: the connection's id.
    """

    default_conn_name = "discogs_dumps"
    hook_name = "Discogs dumps"

    def __init__(self, http_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(method="GET", http_conn_id=http_conn_id, **kwargs)
        self._given: Connection | None = None

    @classmethod
    def of(cls, connection: Connection) -> DiscogsDumpsHook:
        """A hook for a connection that was looked up before, as triggers do it."""
        hook = cls(connection.conn_id)
        hook._given = connection
        return hook

    def _connection(self) -> Connection:
        if self._given is None:
            self._given = self.get_connection(self.http_conn_id)
        return self._given

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> Session:
        """A session with the connection's login, proxies and certificates.

        :class:`HttpHook` makes a header of every entry of the extra; here only ``headers`` are.
        """
        import requests

        connection = self._connection()
        self._set_base_url(connection)
        session = self._configure_session_from_auth(requests.Session(), cast(Any, connection))
        session = self._configure_session_from_extra(session, connection, extra_options or {})
        session = self._configure_session_from_mount_adapters(session)
        extra: dict[str, Any] = connection.extra_dejson
        for name in extra:
            session.headers.pop(name, None)
        agent = {"User-Agent": Settings.from_environment().user_agent}
        session.headers.update({**agent, **extra.get("headers", {}), **(headers or {})})
        return session

    @contextmanager
    def source(self, settings: Settings | None = None) -> Iterator[DumpSource]:
        """The server of dumps; the session is closed at the end.

        :raises AddressInvalid: when the connection names no HTTP address.
        :raises InvalidSetting: when its layout is none of the two.
        """
        from discogs.dumps.limits import Limits
        from discogs.dumps.names import Layout
        from discogs.dumps.source import DumpSource
        from discogs.errors import InvalidSetting

        settings = settings if settings is not None else Settings.from_environment()
        with self.get_conn() as session:
            layout = self._connection().extra_dejson.get("layout", DEFAULT_LAYOUT)
            if layout not in list(Layout):
                raise InvalidSetting(
                    f"The layout of connection {self.http_conn_id}",
                    layout,
                    " or ".join(map(str, Layout)),
                )
            yield DumpSource(session, self.base_url, layout, Limits.of(settings))

    def listing_url(self, month: Month) -> str:
        """The address of the server's list of what a month has, for a browser.

        :raises AddressInvalid: when the connection names no HTTP address.
        """
        from discogs.dumps.names import Layout, checked_base

        connection = self._connection()
        self._set_base_url(connection)
        layout = connection.extra_dejson.get("layout", DEFAULT_LAYOUT)
        return Layout(layout).listing_url(checked_base(self.base_url), month)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the server lists dumps; what Airflow's *Test* button calls."""
        import datetime as dt

        from discogs.errors import DiscogsError, DumpIncomplete, DumpNotPublished
        from discogs.schema.entities import Month

        month = Month.of(dt.datetime.now(dt.timezone.utc).date())
        try:
            with self.source() as source:
                source.find(month)
        except (DumpNotPublished, DumpIncomplete) as missing:
            return True, f"The server answers. {missing}"
        except DiscogsError as error:
            return False, str(error)
        return True, f"The server answers, and has the dump of {month}."
