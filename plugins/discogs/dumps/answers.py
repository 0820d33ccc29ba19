"""What an answer to a GET means, whichever client sent it: its status, its redirects, its faults.

What passes: faults of the network, wrong answers of an overloaded server and pauses that it asks
for are tried again. Everything else is an error at once, since asking again changes nothing and
some servers hold it against the asker.
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
    """A transfer broke in a way that another attempt may repair; never leaves the package.

    :param wait: seconds that the server asked for.
    """

    got_further = False
    """Whether what came is kept, so that the next attempt has less to do."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


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
    """Let statuses 200, 206 and 416 pass.

    :param longest_pause: seconds; a longer Retry-After is raised as RateLimited.
    :raises Broken: when another attempt may succeed.
    :raises RateLimited: at 429, or 503, that asks for longer or does not say for how long.
    :raises RequestRefused: for good.
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
    """Scheme, host and port: what a login is meant for."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def redirect_target(url: str, location: str) -> str:
    """Where a redirect leads.

    :raises SourceError: when it is not followed.
    """
    try:
        target = urljoin(url, location)
        scheme, host, _ = origin(target)
    except ValueError:
        raise not_followed(url, "to something unreadable") from None
    if scheme not in ("http", "https") or host is None:
        raise not_followed(url, "to something that is not HTTP")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise not_followed(url, f"from https to {shown(target)}")
    return target


def not_followed(url: str, where: str) -> SourceError:
    """The error for a redirect that is not followed."""
    return SourceError(
        f"{shown(url)} redirects {where}. Check the address of the connection to the dumps."
    )


def not_trusted(url: str, reason: str) -> SourceError:
    """The error for a server whose certificate does not prove that it is the one asked for."""
    return SourceError(
        f"{shown(url)} cannot be trusted: {reason}. Check the address; for a certificate authority"
        " of your own, name its file in REQUESTS_CA_BUNDLE."
    )
