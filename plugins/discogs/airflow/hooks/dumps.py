"""The hook for the dump server, an HTTP connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from discogs.dumps.names import Layout, checked_base
from discogs.errors import InvalidSetting
from discogs.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from requests import Session

    from discogs.dumps.source import DumpSource, Limits
    from discogs.schema.entities import Month


class DiscogsDumpsHook(BaseHook):
    """A dump server, configured by an HTTP connection.

    The connection's host is the address (``https://data.discogs.com``); login and password are
    sent as basic authentication. Its extra takes the session options of Airflow's own HTTP hook
    (``verify``, ``cert``, ``proxies``, ``trust_env``), and:

    * ``layout``: ``data.discogs.com`` (the default) or ``s3``.
    * ``headers``: sent with every request, such as ``{"User-Agent": "…"}``.

    :class:`~airflow.providers.http.hooks.http.HttpHook` is not used, since it sends every
    entry of the extra that it does not know as a header.

    :param http_conn_id: id of the connection.
    """

    conn_name_attr = "http_conn_id"
    default_conn_name = "discogs_dumps"
    conn_type = "http"
    hook_name = "Discogs dumps"

    def __init__(self, http_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.http_conn_id = http_conn_id
        self._given: Connection | None = None

    @classmethod
    def of(cls, connection: Connection) -> DiscogsDumpsHook:
        """A hook for a connection that was looked up already, as a trigger does."""
        hook = cls(connection.conn_id)
        hook._given = connection
        return hook

    @property
    def connection(self) -> Connection:
        if self._given is None:
            self._given = self.get_connection(self.http_conn_id)
        return self._given

    @property
    def base_url(self) -> str:
        """The server's address, without a trailing slash.

        :raises AddressInvalid: when the connection has no HTTP address.
        """
        connection = self.connection
        host = connection.host or ""
        url = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        return checked_base(f"{url}:{connection.port}" if connection.port else url)

    @property
    def layout(self) -> Layout:
        """:raises InvalidSetting: when it is neither of the two."""
        named: str = self.connection.extra_dejson.get("layout", Layout.DISCOGS)
        try:
            return Layout(named)
        except ValueError:
            raise InvalidSetting(
                f"The layout of connection {self.http_conn_id}",
                named,
                " or ".join(map(str, Layout)),
            ) from None

    def get_conn(self, settings: Settings | None = None) -> Session:
        """A session with the connection's login, headers, proxies and certificates."""
        from discogs.dumps.source import make_session

        settings = settings if settings is not None else Settings.from_environment()
        connection = self.connection
        extra: dict[str, Any] = connection.extra_dejson
        session = make_session(settings.user_agent)
        session.headers.update(extra.get("headers") or {})
        if connection.login:
            session.auth = (connection.login, connection.password or "")
        session.proxies = extra.get("proxies") or extra.get("proxy") or {}
        session.verify = extra.get("verify", extra.get("verify_ssl", True))
        session.cert = extra.get("cert")
        session.trust_env = extra.get("trust_env", True)
        return session

    @contextmanager
    def source(
        self, settings: Settings | None = None, *, limits: Limits | None = None
    ) -> Iterator[DumpSource]:
        """The dump server; the session is closed at the end.

        :param limits: timeouts and number of attempts.
        :raises AddressInvalid: when the connection has no HTTP address.
        :raises InvalidSetting: when its layout is neither of the two.
        """
        from discogs.dumps.source import DumpSource

        with self.get_conn(settings) as session:
            yield DumpSource(session, self.base_url, self.layout, limits)

    def listing_url(self, month: Month) -> str:
        """The address of the server's listing of a month, for a browser.

        :raises AddressInvalid: when the connection has no HTTP address.
        """
        return self.layout.listing_url(self.base_url, month)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the server lists dumps; what Airflow's *Test* button calls."""
        import datetime as dt

        from discogs.dumps.errors import DumpNotPublished
        from discogs.dumps.transport import ONE_LOOK
        from discogs.errors import DiscogsError
        from discogs.schema.entities import Month

        month = Month.of(dt.datetime.now(dt.timezone.utc).date())
        try:
            with self.source(limits=ONE_LOOK) as source:
                source.find(month)
        except DumpNotPublished as missing:
            return True, f"The server answers. {missing}"
        except DiscogsError as error:
            return False, str(error)
        return True, f"The server answers, and has the dump of {month}."
