"""Requests to a server of dumps: redirects, statuses, broken transfers and second attempts.

Redirects are followed here instead of in requests, since three things matter: never from
https to http, no login to another server than the one asked, and an end after a few.
A redirect to another host is followed (servers hand large files to a CDN or a bucket): what
arrives is checked against the published SHA-256 all the same.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3.exceptions

from discogs import __version__
from discogs.dumps.limits import Limits
from discogs.errors import (
    AddressInvalid,
    RateLimited,
    RedirectRefused,
    RequestRefused,
    TlsFailed,
    TransferFailed,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

CHUNK = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = (408, 425, 500, 502, 503, 504)
_RANGES = (200, 206, 416)
_HELD = "X-Held-Location"


class Broken(Exception):
    """A transfer broke in a way that another attempt may mend; never leaves the package.

    :param wait: seconds that the server asked for.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


def make_session(user_agent: str = f"airflow-discogs/{__version__}") -> requests.Session:
    """A session with a User-Agent, which servers ask for; the caller closes it."""
    session = requests.Session()
    session.headers["User-Agent"] = user_agent
    return session


def shown(url: str) -> str:
    """An address for messages: no login, and no query that could hold a signature."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    kept = parts.query if parts.query.startswith(("download=", "prefix=", "list-type=")) else ""
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{kept}" if kept else "")


def retry_after(text: str | None) -> float | None:
    """Seconds that a Retry-After header names, as a number or a date; None if it is neither."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 30 * 86400))
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.timezone.utc)
    wait = (when - dt.datetime.now(dt.timezone.utc)).total_seconds()
    return min(max(wait, 0.0), 30 * 86400.0)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and everything that lies below it, outermost first."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        item = left.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        left += [item.__cause__, getattr(item, "reason", None), *item.args]


def translate(error: Exception, url: str, limits: Limits) -> Exception:
    """What a library's error means here: another attempt, or an error for the user."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TlsFailed(shown(url), cause.verify_message or "its certificate is not valid")
    if isinstance(error, ValueError) and isinstance(error, requests.RequestException):
        return AddressInvalid(shown(url), "requests cannot read it")
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return Broken(f"the host name was not found ({cause.strerror})")
        if isinstance(cause, OSError) and cause.errno is not None and cause.strerror:
            return Broken(f"the connection failed ({cause.strerror})")
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
            return Broken(f"no connection within {limits.connect:g} s")
        if isinstance(cause, (urllib3.exceptions.ReadTimeoutError, TimeoutError)):
            return Broken(f"nothing came for {limits.read:g} s")
        if isinstance(cause, urllib3.exceptions.IncompleteRead):
            return Broken("the connection was cut in the middle")
    return Broken(f"the connection failed ({type(causes[-1]).__name__})")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _hold_redirect(
    response: requests.Response, *_args: object, **_options: object
) -> requests.Response:
    """Keep a redirect from requests, which reads its whole body even when not following."""
    response.headers.pop(_HELD, None)
    location = response.headers.pop("Location", None)
    if location is not None:
        response.headers[_HELD] = location
    return response


class Transport:
    """GET requests on a session, with what every one of them needs."""

    def __init__(self, session: requests.Session, limits: Limits) -> None:
        self.session = session
        self.limits = limits

    def _user_agent(self) -> str:
        value = self.session.headers.get("User-Agent")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
        # requests' own name is what some servers refuse.
        if not text or text.startswith("python-requests/"):
            return f"airflow-discogs/{__version__}"
        return text

    def _send(self, url: str, headers: Mapping[str, str], *, own: bool) -> requests.Response:
        """One request; ``own`` says whether the session's login may be sent."""
        session = self.session
        sent = {**headers, "User-Agent": self._user_agent(), "Accept-Encoding": "identity"}
        request = requests.Request("GET", url, headers=sent)
        prepared = session.prepare_request(request) if own else request.prepare()
        prepared.register_hook("response", _hold_redirect)
        kept = session.merge_environment_settings(url, {}, True, None, None)
        return session.send(
            prepared,
            stream=True,
            timeout=(self.limits.connect, self.limits.read),
            allow_redirects=False,
            proxies=kept["proxies"],
            verify=kept["verify"],
            cert=kept["cert"] if own else None,
        )

    @contextmanager
    def get(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """The answer to a GET with status 200, 206 or 416, its body unread.

        :raises Broken: when another attempt may succeed.
        :raises RateLimited: at 429, or 503, that asks for longer than is waited for here.
        :raises RequestRefused, RedirectRefused, TlsFailed, AddressInvalid: for good.
        """
        start, hops = _origin(url), 0
        while True:
            try:
                response = self._send(url, headers or {}, own=_origin(url) == start)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise translate(error, url, self.limits) from error
            with response:
                location = response.headers.get(_HELD)
                if response.status_code not in _REDIRECTS or location is None:
                    self._check(url, response)
                    yield response
                    return
                target = _target(url, location)
            hops += 1
            if hops > self.limits.redirects:
                raise RedirectRefused(
                    shown(url), f"redirects more than {self.limits.redirects} times"
                )
            log.info("%s redirects to %s", shown(url), shown(target))
            url = target

    def _check(self, url: str, response: requests.Response) -> None:
        status = response.status_code
        if status in _RANGES:
            return
        wait = retry_after(response.headers.get("Retry-After"))
        if status == 429 or (status == 503 and wait is not None):
            if wait is None or wait > self.limits.max_retry_after:
                raise RateLimited(shown(url), status, wait)
            raise Broken(f"the server answered {status}", wait)
        if status in _LATER:
            raise Broken(f"the server answered {status}")
        raise RequestRefused(shown(url), status)

    def chunks(
        self, url: str, response: requests.Response, deadline: float, size: int = CHUNK
    ) -> Iterator[bytes]:
        """The body as it comes, undecoded, until its end or the deadline.

        :param deadline: of ``time.monotonic()``.
        :raises Broken: when it is cut, stalls, or lasts beyond the deadline.
        """
        while True:
            try:
                # read1 returns what is there: read() would wait for a whole chunk, and a
                # body that drips would never meet the deadline.
                chunk = response.raw.read1(size, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise translate(error, url, self.limits) from error
            if not chunk:
                return
            yield chunk
            if time.monotonic() > deadline:
                raise Broken("it takes longer than the time limit of a transfer")

    def text(self, url: str, limit: int) -> bytes:
        """A small document, retried like every transfer; no longer than the limit.

        :raises TransferFailed: after the last attempt.
        """

        def fetch() -> bytes:
            deadline = time.monotonic() + min(self.limits.transfer, 2 * self.limits.read)
            with self.get(url) as response:
                if response.status_code != 200:
                    raise RequestRefused(shown(url), response.status_code)
                body = bytearray()
                for chunk in self.chunks(url, response, deadline, 1 << 16):
                    body += chunk
                    if len(body) > limit:
                        return bytes(body[: limit + 1])
                return bytes(body)

        return self.attempts(shown(url), fetch)

    def attempts(self, what: str, call: Callable[[], T]) -> T:
        """Call until it does not break, with exponential backoff and jitter between attempts.

        :raises TransferFailed: after the last attempt, or when the time limit is near.
        """
        limits = self.limits
        backoff = tenacity.wait_exponential(
            multiplier=limits.backoff, max=limits.max_backoff
        ) + tenacity.wait_random(0, limits.backoff)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            pause = backoff(state)
            if isinstance(error, Broken) and error.wait is not None:
                # At least what the server asks for, and not all clients at once.
                pause = error.wait + min(pause, limits.backoff)
            return pause

        def told(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            pause = state.next_action.sleep if state.next_action is not None else 0.0
            log.warning(
                "%s: attempt %d of %d broke: %s. The next one comes in %.1f s.",
                what,
                state.attempt_number,
                limits.attempts,
                error,
                pause,
            )

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(limits.attempts)
            | tenacity.stop_before_delay(limits.transfer),
            wait=wait,
            retry=tenacity.retry_if_exception_type(Broken),
            before_sleep=told,
            reraise=True,
        )
        try:
            return retrying(call)
        except Broken as error:
            made = int(retrying.statistics.get("attempt_number", 1))
            raise TransferFailed(what, error.reason, made) from error


def _target(url: str, location: str) -> str:
    """Where a redirect leads.

    :raises RedirectRefused: when it is not followed.
    """
    try:
        target = urljoin(url, location)
        scheme, host, _ = _origin(target)
    except ValueError:
        raise RedirectRefused(shown(url), "redirects to something unreadable") from None
    if scheme not in ("http", "https") or host is None:
        raise RedirectRefused(shown(url), "redirects to something that is not HTTP")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise RedirectRefused(shown(url), f"redirects from https to {shown(target)}")
    return target
