"""Requests and replies of the local mirror, and the faults that it simulates.

:class:`Behaviour` simulates the real server, for all clients: it cuts long transfers, limits their
rate, blocks clients that send too many requests, and publishes files one after the other. A
:class:`Fault` affects single requests, for tests.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

Wait = Callable[[float], object]

#: The period, in seconds, for which :attr:`Behaviour.requests` limits the number of requests.
WINDOW_SECONDS = 360.0


@dataclass
class Reply:
    """The reply that the mirror is about to send; a fault may replace it."""

    status: int
    headers: dict[str, str]
    body: Iterator[bytes]
    reset: bool = False
    """Whether the connection ends with a reset instead of an end of stream."""


@dataclass
class Request:
    """A request to the mirror, for faults and assertions.

    :param target: path and query, percent-decoded.
    :param version: the HTTP version, ``1.1`` or ``2``.
    :param at: when it was received, by ``time.monotonic()``.
    :param ended: when its reply was sent.
    """

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    version: str = "1.1"
    at: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def range(self) -> str | None:
        return self.headers.get("range")

    def end(self) -> None:
        """Record that the reply was sent, or was cut."""
        self.ended = time.monotonic()


Effect = Callable[[Request, Reply, Wait], Reply]


@dataclass(frozen=True)
class Fault:
    """A simulated fault.

    It applies to requests whose target matches, ``times`` times. One fault applies to a request;
    faults that match the same target are used in the order in which they were added.

    :param name: its name in the log.
    :param effect: replaces the reply; None keeps it.
    :param match: regular expression, searched for in the request's target.
    :param times: how many requests it applies to; None for all.
    :param before: called before the file is opened, for example to replace files.
    :param only_ranges: apply only to requests with a Range.
    :param ignores_range: reply to a Range with 200 and the whole file.
    :param on_connect: refuse the connection, before a request is read.
    """

    name: str
    effect: Effect | None = None
    match: str = ""
    times: int | None = 1
    before: Callable[[], object] | None = None
    only_ranges: bool = False
    ignores_range: bool = False
    on_connect: bool = False

    def applies(self, request: Request) -> bool:
        """Whether the fault applies to a request."""
        if self.on_connect or (self.only_ranges and request.range is None):
            return False
        return re.search(self.match, request.target) is not None

    def on(self, match: str) -> Fault:
        """This fault, for targets that match a pattern."""
        return replace(self, match=match)

    def repeated(self, times: int | None) -> Fault:
        """This fault, applied ``times`` times; None for without limit."""
        return replace(self, times=times)

    def after(self, action: Callable[[], object]) -> Fault:
        """This fault, with an action that is called first."""
        return replace(self, before=action)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a server treats all clients; by default without limits.

    :param cut_after: seconds after which a transfer is cut; None for never.
    :param cut_http1_only: do not cut transfers over HTTP/2.
    :param ignore_range: reply to a Range with the whole file.
    :param rate: bytes per second of each transfer; None for no limit.
    :param requests: requests allowed in six minutes; more are answered with 429 until an hour after
        the last request.
    :param barred_seconds: that hour.
    :param publish: parts of names, such as ``labels`` or ``CHECKSUM``: files with them appear one
        after the other in this order, all other files at once.
    :param publish_every: seconds between two of them.
    """

    cut_after: float | None = None
    cut_http1_only: bool = False
    ignore_range: bool = False
    rate: float | None = None
    requests: int | None = None
    barred_seconds: float = 3600.0
    publish: Sequence[str] = ()
    publish_every: float = 0.0


class Exchange:
    """Records and answers a mirror's requests, whatever the protocol.

    :param answer: returns the reply of a server without faults; called with the folder, the
        request, a function that says which files are hidden, and whether to honour a Range.
    """

    def __init__(
        self,
        folder: Path,
        answer: Callable[[Path, Request, Callable[[str], bool], bool], Reply],
        behaviour: Behaviour,
    ) -> None:
        self.folder, self.behaviour = folder, behaviour
        self.stopping = threading.Event()
        self.seen: list[Request] = []
        self._answer = answer
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, int | None]] = []
        self._started = time.monotonic()
        self._times: list[float] = []
        self._barred_until = 0.0

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append((fault, fault.times))

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    def refuses_connection(self) -> bool:
        with self._lock:
            return self._next(lambda fault: fault.on_connect) is not None

    def reply(self, request: Request) -> Reply:
        """Record a request, and return the reply, with the fault that applies."""
        with self._lock:
            self.seen.append(request)
            fault = self._next(lambda fault: fault.applies(request))
            barred = self._barred()
        if barred is not None:
            return barred
        if fault is not None and fault.before is not None:
            fault.before()
        ranges = not self.behaviour.ignore_range and (fault is None or not fault.ignores_range)
        reply = self._answer(self.folder, request, self._hidden, ranges)
        if fault is not None and fault.effect is not None:
            reply = fault.effect(request, reply, self.stopping.wait)
        behaviour = self.behaviour
        if behaviour.rate is not None:
            reply.body = _paced(reply.body, behaviour.rate, self.stopping.wait)
        exempt = behaviour.cut_http1_only and request.version == "2"
        if behaviour.cut_after is not None and not exempt:
            reply.body = _until(reply.body, request.at + behaviour.cut_after)
        return reply

    def _next(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        for index, (fault, left) in enumerate(self._faults):
            if left != 0 and wanted(fault):
                self._faults[index] = (fault, None if left is None else left - 1)
                return fault
        return None

    def _barred(self) -> Reply | None:
        """429 for a client with too many requests; each further request extends the block."""
        if self.behaviour.requests is None:
            return None
        now = time.monotonic()
        self._times = [at for at in self._times if now - at < WINDOW_SECONDS] + [now]
        if now >= self._barred_until and len(self._times) <= self.behaviour.requests:
            return None
        self._barred_until = now + self.behaviour.barred_seconds
        body = json.dumps({"message": "You are making requests too quickly."}).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Retry-After": f"{self.behaviour.barred_seconds:.0f}",
        }
        return Reply(429, headers, iter([body]))

    def _hidden(self, name: str) -> bool:
        """Whether a file is not published yet."""
        since = time.monotonic() - self._started
        for index, part in enumerate(self.behaviour.publish):
            if part in name:
                return since < index * self.behaviour.publish_every
        return False


def _paced(body: Iterator[bytes], rate: float, wait: Wait) -> Iterator[bytes]:
    """The body at ``rate`` bytes per second."""
    size = max(1, int(min(rate / 20, 1 << 18)))
    due = time.monotonic()
    for chunk in body:
        for start in range(0, len(chunk), size):
            piece = chunk[start : start + size]
            due += len(piece) / rate
            ahead = due - time.monotonic()
            if ahead > 0:
                wait(ahead)
            yield piece


def _until(body: Iterator[bytes], end: float) -> Iterator[bytes]:
    """The body until a time of ``time.monotonic()``."""
    for chunk in body:
        if time.monotonic() >= end:
            return
        yield chunk
