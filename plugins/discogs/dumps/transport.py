"""GET requests to a server of dumps.

Listings and CHECKSUM.txt are fetched with a ``requests`` session, which has login, headers, proxies
and certificates; files are fetched with libcurl, with the same settings. The login and the
session's other headers are sent only to the requested server, not to servers that it redirects to.

Content encodings are not removed, so that the received bytes are counted, hashed and limited. If a
server compresses a file although no encoding was accepted, its SHA-256 differs.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import certifi
import requests
import urllib3.exceptions

from discogs import __version__
from discogs.dumps.answers import (
    MAX_REDIRECTS,
    MAX_RETRY_AFTER,
    REDIRECTS,
    Broken,
    check,
    not_followed,
    not_trusted,
    origin,
    redirect_target,
    shown,
)
from discogs.dumps.errors import AddressInvalid, RequestRefused, TransferFailed

if TYPE_CHECKING:
    from discogs.dumps.curl import Response

log = logging.getLogger(__name__)

T = TypeVar("T")

GZIP = b"\x1f\x8b"
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Timeouts and retries; times are in seconds.

    :param connect: timeout of connecting.
    :param read: timeout without data.
    :param attempts: successive attempts without progress.
    :param backoff: pause before the second attempt; it doubles from there, with jitter.
    :param max_backoff: longest pause between two attempts.
    :param max_retry_after: a longer Retry-After is raised as RateLimited.
    """

    connect: float = 15.0
    read: float = 60.0
    attempts: int = 5
    backoff: float = 2.0
    max_backoff: float = 120.0
    max_retry_after: float = MAX_RETRY_AFTER


#: For a request that is repeated anyway, such as while waiting for a dump.
ONE_LOOK = Limits(attempts=1)


def make_session(user_agent: str = f"airflow-discogs/{__version__}") -> requests.Session:
    """A session with a User-Agent, which some servers require; the caller closes it."""
    session = requests.Session()
    session.headers["User-Agent"] = user_agent
    return session


class Answer(Protocol):
    """The interface of both clients' responses; header names are in lower case."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...
    def close(self) -> None: ...


A = TypeVar("A", bound=Answer)


class Transport:
    """Sends GET requests: follows redirects, checks the status, and retries."""

    def __init__(self, session: requests.Session, limits: Limits) -> None:
        self.session = session
        self.limits = limits

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Response]:
        """The response to a GET with libcurl, of status 200, 206 or 416, with its body not yet
        read.

        :raises Broken: when another attempt may succeed.
        :raises RateLimited: at 429 or 503, if the pause is longer than is waited for here.
        :raises SourceError: when another attempt would fail too.
        """
        from discogs.dumps.curl import Response, Route  # late: loads libcurl, which few need

        def send(url: str, own: bool) -> Response:
            trust = self._trust(url, own)
            route = Route(
                verify=certifi.where() if trust["verify"] is True else trust["verify"],
                cert=trust["cert"],
                proxy=requests.utils.select_proxy(url, trust["proxies"]),
                connect=self.limits.connect,
                read=self.limits.read,
            )
            prepared = self._prepared(url, headers or {}, own)
            # HTTP/2 forbids the header Connection.
            sent = {k: str(v) for k, v in prepared.headers.items() if k.lower() != "connection"}
            return Response(url, sent, route)

        with closing(self._follow(url, send)) as answer:
            yield answer

    def is_there(self, url: str) -> bool:
        """Whether there is a gzip file at an address; only its first bytes are read.

        :raises TransferFailed: after the last attempt.
        """

        def look() -> bool:
            with self.get(url) as answer:
                start = b""
                for chunk in answer.chunks():
                    start += chunk
                    if len(start) >= len(GZIP):
                        break
                return start.startswith(GZIP)

        try:
            return self.attempts(shown(url), look)
        except RequestRefused as error:
            if error.status in (404, 410):
                return False
            raise

    def text(self, url: str, limit: int) -> bytes:
        """A small document; of a longer one, the first ``limit`` + 1 bytes.

        :raises TransferFailed: after the last attempt.
        """

        def send(url: str, own: bool) -> requests.Response:
            try:
                return self.session.send(
                    self._prepared(url, {}, own),
                    stream=True,
                    timeout=(self.limits.connect, self.limits.read),
                    allow_redirects=False,
                    **self._trust(url, own),
                )
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise translate(error, url, self.limits) from error

        def fetch() -> bytes:
            deadline = time.monotonic() + 2 * self.limits.read
            with closing(self._follow(url, send)) as answer:
                if answer.status_code != 200:
                    raise RequestRefused(shown(url), answer.status_code)
                body = bytearray()
                while len(body) <= limit:
                    try:
                        # read1 returns the bytes that are there. read() would wait for a full
                        # chunk, so the deadline would not be checked during a slow transfer.
                        chunk = answer.raw.read1(_CHUNK, decode_content=False)
                    except (urllib3.exceptions.HTTPError, OSError) as error:
                        raise translate(error, url, self.limits) from error
                    if not chunk:
                        break
                    body += chunk
                    if time.monotonic() > deadline:
                        raise Broken("it takes longer than the time limit of a small document")
                return bytes(body[: limit + 1])

        return self.attempts(shown(url), fetch)

    def attempts(self, what: str, call: Callable[[], T]) -> T:
        """Call until no Broken is raised, with exponential backoff and jitter between attempts.

        :raises TransferFailed: after too many successive attempts without progress.
        """
        limits, made, without_progress = self.limits, 0, 0
        while True:
            made += 1
            try:
                return call()
            except Broken as error:
                without_progress = 1 if error.got_further else without_progress + 1
                if without_progress >= limits.attempts:
                    raise TransferFailed(what, error.reason, made) from error
                jitter = random.uniform(0, limits.backoff)
                backoff = limits.backoff * 2 ** (without_progress - 1)
                pause = min(backoff, limits.max_backoff) + jitter
                if error.wait is not None:
                    # Jitter here too, so that not all clients come back at the same time.
                    pause = error.wait + jitter
                log.warning(
                    "%s: attempt %d failed: %s. Next attempt in %.1f s.", what, made, error, pause
                )
            time.sleep(pause)

    def _follow(self, url: str, send: Callable[[str, bool], A]) -> A:
        """Follow redirects; the final response.

        :param send: called with an address, and whether the login may be sent there.
        """
        start = url
        for _ in range(MAX_REDIRECTS + 1):
            answer = send(url, origin(url) == origin(start))
            try:
                location = answer.headers.get("location")
                if answer.status_code not in REDIRECTS or location is None:
                    check(url, answer.status_code, answer.headers, self.limits.max_retry_after)
                    return answer
                target = redirect_target(url, location)
            except BaseException:
                answer.close()
                raise
            answer.close()
            log.info("%s redirects to %s", shown(url), shown(target))
            url = target
        raise not_followed(start, f"more than {MAX_REDIRECTS} times")

    def _prepared(
        self, url: str, headers: Mapping[str, str], own: bool
    ) -> requests.PreparedRequest:
        session = self.session
        agent = session.headers.get("User-Agent")
        text = agent.decode("latin-1") if isinstance(agent, bytes) else str(agent or "")
        # Some servers refuse the default User-Agent of requests.
        if not text or text.startswith("python-requests/"):
            text = f"airflow-discogs/{__version__}"
        sent = {**headers, "User-Agent": text, "Accept-Encoding": "identity"}
        request = requests.Request("GET", url, headers=sent, hooks={"response": _leave_redirect})
        try:
            return session.prepare_request(request) if own else request.prepare()
        except (requests.RequestException, ValueError) as error:
            raise AddressInvalid(shown(url), "requests cannot read it") from error

    def _trust(self, url: str, own: bool) -> dict[str, Any]:
        """Proxies and certificates of the session, or else of the environment."""
        session = self.session
        found = session.merge_environment_settings(url, {}, None, None, None)
        return {
            "proxies": found["proxies"],
            "verify": found["verify"] if session.verify is True else session.verify,
            "cert": found["cert"] if own else None,
        }


def _leave_redirect(response: requests.Response, *_args: object, **_options: object) -> None:
    """Close a redirect's response, whose body requests would otherwise read to its end."""
    if response.is_redirect:
        response.close()
        redirect_target(str(response.url), response.headers["location"])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, outermost first."""
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
    """The exception for an error of requests: Broken to try again, or an error for the user."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return not_trusted(url, cause.verify_message or "its certificate is not valid")
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
            return Broken(f"no data came for {limits.read:g} s")
        if isinstance(cause, urllib3.exceptions.IncompleteRead):
            return Broken("the connection was cut")
    return Broken(f"the connection failed ({type(causes[-1]).__name__})")
