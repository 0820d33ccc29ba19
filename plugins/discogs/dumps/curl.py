"""Downloading files with libcurl, over HTTP/2 if the server offers it, else HTTP/1.1.

Discogs' server cuts long transfers over HTTP/1.1. libcurl's flow-control window is at least 10 MiB
from the first round trip on, enough for 1 Gbit/s at 100 ms; other clients' windows are 64 KiB.

All callbacks are methods of lists, since libcurl drops exceptions that a callback raises. A signal
handler, such as the one that stops a task, raises its exception in Python code, so it must not run
inside a callback.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pycurl

from discogs.dumps.answers import Broken, not_trusted, shown
from discogs.dumps.errors import AddressInvalid

#: Bytes per second; a transfer that is slower over the read timeout has stalled.
LOWEST_RATE = 4096
_BUFFER = 1 << 18
_WAIT_SECONDS = 0.5

_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
}
_UNTRUSTED = (
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_ISSUER_ERROR,
    pycurl.E_SSL_CERTPROBLEM,
)
_UNREADABLE = (pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL)
_NOT_FOUND = (pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY)
# pycurl has no names for these.
_HTTP2_STREAM = 92
_SUPPRESS_CONNECT_HEADERS = 265
_CUT = (pycurl.E_PARTIAL_FILE, pycurl.E_GOT_NOTHING, pycurl.E_HTTP2, _HTTP2_STREAM)


@dataclass(frozen=True, kw_only=True)
class Route:
    """The proxy, certificates and timeouts of a request.

    :param verify: file or folder of trusted certificates; False trusts every server.
    :param cert: the client's certificate, or certificate and key; None sends none.
    :param proxy: the proxy's address with its login; None for no proxy.
    :param connect: timeout of connecting, TLS included, in seconds.
    :param read: seconds after which a transfer without data has stalled.
    """

    verify: str | bool
    cert: str | tuple[str, str] | None
    proxy: str | None
    connect: float
    read: float


class Response:
    """The response to a GET, with its body not yet read; the caller closes it.

    :param headers: the request's headers; only ``Host`` is added.
    :raises Broken: when there is no response, and another attempt may succeed.
    """

    def __init__(self, url: str, headers: Mapping[str, str], route: Route) -> None:
        self.url = url
        self.status_code = 0
        self.headers: dict[str, str] = {}
        """By name in lower case; of several with the same name, the last."""
        self.version = ""
        """The HTTP version: ``1.1`` or ``2``."""
        self._route = route
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._failure: Exception | None = None
        self._active = True
        self._last = self._since = time.monotonic()
        self._came = 0
        self._easy = _prepared(url, headers, route)
        self._easy.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._easy.setopt(pycurl.WRITEFUNCTION, self._chunks.append)
        self._multi = pycurl.CurlMulti()
        self._multi.add_handle(self._easy)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the transfer, even if it is not complete."""
        self._multi.remove_handle(self._easy)
        self._easy.close()
        self._multi.close()

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives, with no content encoding removed.

        :raises Broken: when the transfer is cut or stalls.
        """
        while True:
            if self._chunks:
                chunk = b"".join(self._chunks)
                self._chunks.clear()
                yield chunk
            elif self._failure is not None:
                raise self._failure
            elif not self._active:
                return
            else:
                self._advance()

    def _open(self) -> None:
        while not self._headers_read():
            if self._failure is not None:
                raise self._failure
            if not self._active:
                raise Broken("the server closed the connection without an answer")
            self._advance()
        version = self._easy.getinfo(pycurl.INFO_HTTP_VERSION)
        self.version = _VERSIONS.get(version, "3")

    def _headers_read(self) -> bool:
        """Whether all headers of the response are there; interim responses (1xx) are skipped."""
        while b"\r\n" in self._lines:
            end = self._lines.index(b"\r\n")
            first, *rest = self._lines[:end]
            del self._lines[: end + 1]
            status = re.match(rb"HTTP/[0-9.]+ ([0-9]{3})", first)
            if status is None or status[1].startswith(b"1"):
                continue
            self.status_code = int(status[1])
            for line in rest:
                name, _, value = line.decode("latin-1").partition(":")
                self.headers[name.strip().lower()] = value.strip()
            return True
        return False

    def _advance(self) -> None:
        """Continue the transfer; wait a moment if no data arrives."""
        try:
            _, active = self._multi.perform()
        except pycurl.error as error:
            raise Broken(f"libcurl failed ({error.args[0]})") from error
        _, _, failed = self._multi.info_read()
        for easy, code, text in failed:
            self._failure = _translated(
                self.url, code, text, easy.getinfo(pycurl.OS_ERRNO), self._route
            )
        self._active = active > 0
        self._check_rate(sum(map(len, self._chunks)))
        if self._active and not self._chunks and self._multi.select(_WAIT_SECONDS) == -1:
            time.sleep(0.01)  # no socket to wait for, such as during name resolution

    def _check_rate(self, came: int) -> None:
        """:raises Broken: when the transfer has stalled."""
        now, limit = time.monotonic(), self._route.read
        if not self._active:
            return
        if not self._easy.getinfo(pycurl.PRETRANSFER_TIME):
            self._last = self._since = now  # connecting has its own timeout
        if came:
            self._last = now
            self._came += came
        if now - self._last >= limit:
            raise Broken(f"no data came for {limit:g} s")
        if now - self._since >= limit:
            if self._came < LOWEST_RATE * limit:
                raise Broken(f"only {self._came:,} bytes came in {limit:g} s")
            self._since, self._came = now, 0


def _prepared(url: str, headers: Mapping[str, str], route: Route) -> pycurl.Curl:
    easy = pycurl.Curl()
    easy.setopt(pycurl.URL, url)
    # An empty header is written with a semicolon. One without a value keeps libcurl from adding it.
    sent = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    absent = [f"{name}:" for name in ("Accept", "User-Agent") if name not in headers]
    easy.setopt(pycurl.HTTPHEADER, [line.encode("latin-1") for line in (*sent, *absent)])
    easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    easy.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(route.connect * 1000)))
    easy.setopt(pycurl.BUFFERSIZE, _BUFFER)
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.TCP_KEEPALIVE, 1)
    easy.setopt(_SUPPRESS_CONNECT_HEADERS, 1)
    easy.setopt(pycurl.PROXY, route.proxy or "")  # empty: ignore the environment's proxy
    if route.verify is False:
        easy.setopt(pycurl.SSL_VERIFYPEER, 0)
        easy.setopt(pycurl.SSL_VERIFYHOST, 0)
    elif isinstance(route.verify, str):
        folder = Path(route.verify).is_dir()
        easy.setopt(pycurl.CAPATH if folder else pycurl.CAINFO, route.verify)
    if route.cert is not None:
        pair = (route.cert, None) if isinstance(route.cert, str) else route.cert
        easy.setopt(pycurl.SSLCERT, pair[0])
        if pair[1] is not None:
            easy.setopt(pycurl.SSLKEY, pair[1])
    return easy


def _translated(url: str, code: int, text: str, errno: int, route: Route) -> Exception:
    """The exception for an error of libcurl: Broken to try again, or an error for the user.

    libcurl's text is shown only for certificates; others may have a proxy's address with its login.
    """
    if code in _UNTRUSTED:
        reason = re.search(r"(?:problem|result): (.+?)(?: \(\d+\))?$", text)
        return not_trusted(url, reason[1] if reason else "its certificate is not valid")
    if code in _UNREADABLE:
        return AddressInvalid(shown(url), "libcurl cannot read it")
    if code in _NOT_FOUND:
        return Broken("the host name was not found")
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Broken(f"no connection within {route.connect:g} s")
    if code in _CUT:
        return Broken("the connection was cut")
    if errno:
        return Broken(f"the connection failed ({os.strerror(errno)})")
    return Broken(f"the connection failed (libcurl's error {code})")
