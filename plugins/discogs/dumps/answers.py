"""The meaning of responses to GET requests, whichever client sent them: status and redirects.

Network failures, errors of an overloaded server, and short pauses that it asks for are retried.
Everything else is an error at once: the next request would fail too, and some servers block clients
that repeat refused requests.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from discogs.dumps.errors import RateLimited, RequestRefused, SourceError

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
#: Seconds; a server that asks for a longer pause is left to the caller.
MAX_RETRY_AFTER = 120.0

_LATER = frozenset({408, 425, 500, 502, 503, 504})
_BODIES = frozenset({200, 206, 416})
_FAR = 30 * 86400


class Broken(Exception):
    """A transfer broke, and another attempt may succeed. Not raised to users of the package.

    :param wait: the pause that the server asked for, in seconds.
    """

    got_further = False
    """Whether received bytes were kept, so that the next attempt has fewer to fetch."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


def shown(url: str) -> str:
    """An address for messages, without login and without a query that may have a signature."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    kept = parts.query if parts.query.startswith(("download=", "prefix=", "list-type=")) else ""
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{kept}" if kept else "")


def retry_after(text: str | None) -> float | None:
    """The seconds of a Retry-After header, which is a number or a date; None if it is neither."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), _FAR))
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.timezone.utc)
    wait = (when - dt.datetime.now(dt.timezone.utc)).total_seconds()
    return min(max(wait, 0.0), float(_FAR))


def check(url: str, status: int, headers: Mapping[str, str], longest_pause: float) -> None:
    """Raise an error for a status other than 200, 206 and 416.

    :param longest_pause: the longest Retry-After, in seconds, that is waited for here.
    :raises Broken: when another attempt may succeed.
    :raises RateLimited: at 429 or 503, if the pause is longer, or 429 does not state one.
    :raises RequestRefused: when another attempt would fail too.
    """
    if status in _BODIES:
        return
    wait = retry_after(headers.get("retry-after"))
    if status == 429 or (status == 503 and wait is not None):
        if wait is None or wait > longest_pause:
            raise RateLimited(shown(url), status, wait)
        raise Broken(f"the server answered {status}", wait)
    if status in _LATER:
        raise Broken(f"the server answered {status}")
    raise RequestRefused(shown(url), status)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, to which a login belongs."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def redirect_target(url: str, location: str) -> str:
    """The address that a redirect leads to.

    :raises SourceError: when it is not followed.
    """
    try:
        target = urljoin(url, location)
        scheme, host, _ = origin(target)
    except ValueError:
        raise not_followed(url, "to an address that cannot be read") from None
    if scheme not in ("http", "https") or host is None:
        raise not_followed(url, "to an address that is not HTTP")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise not_followed(url, f"from https to {shown(target)}")
    return target


def not_followed(url: str, where: str) -> SourceError:
    """The error for a redirect that is not followed."""
    return SourceError(
        f"{shown(url)} redirects {where}. Check the address of the connection to the dumps."
    )


def not_trusted(url: str, reason: str) -> SourceError:
    """The error for a server whose certificate is not valid for the address."""
    return SourceError(
        f"{shown(url)} cannot be trusted: {reason}. Check the address; for a private certificate"
        " authority, set REQUESTS_CA_BUNDLE to its file."
    )
