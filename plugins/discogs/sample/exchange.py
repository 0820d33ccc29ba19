"""Requests and replies of the local mirror, and the faults that it simulates.

:class:`Behaviour` is what the real server does to every client and a set-up can be tested with: it
cuts long transfers, limits the rate, refuses clients that ask too often, publishes file by file. A
:class:`Fault` concerns one request, for tests.
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

#: In these seconds a client may send as many requests as :attr:`Behaviour.requests` says.
WINDOW_SECONDS = 360.0


@dataclass
class Reply:
    """What the mirror is about to answer; a fault turns it into something else."""

    status: int
    headers: dict[str, str]
    body: Iterator[bytes]
    reset: bool = False
    """Whether the connection ends with a reset instead of an end of stream."""


@dataclass
class Request:
    """A request that reached the mirror, as seen by faults and by assertions.

    :param target: path and query, percent signs decoded.
    :param version: of HTTP, ``1.1`` or ``2``.
    :param at: when it came, and ``ended`` when its answer was sent, of ``time.monotonic()``.
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
        """Note that the answer was sent, or as much of it as could be."""
        self.ended = time.monotonic()


Effect = Callable[[Request, Reply, Wait], Reply]


@dataclass(frozen=True)
class Fault:
    """One misbehaviour.

    A fault applies to the requests whose target it matches, so many times, one fault a request:
    faults that match the same target are used up in the order in which they were given.

    :param name: what it is called in the log.
    :param effect: turns the good reply into the bad one; None leaves it as it is.
    :param match: regular expression searched in the request's decoded target.
    :param times: how many requests it applies to; None means every one.
    :param before: called when the request came and before the file is opened, such as
        to replace files.
    :param only_ranges: whether requests without a Range are left alone.
    :param ignores_range: whether a Range is answered with 200 and the whole file.
    :param on_connect: whether it meets the connection itself, before any request is read.
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
        """Whether the request is one that this fault is meant for."""
        if self.on_connect or (self.only_ranges and request.range is None):
            return False
        return re.search(self.match, request.target) is not None

    def on(self, match: str) -> Fault:
        """The same fault for the targets that contain this pattern."""
        return replace(self, match=match)

    def repeated(self, times: int | None) -> Fault:
        """The same fault so many times; None for ever."""
        return replace(self, times=times)

    def after(self, action: Callable[[], object]) -> Fault:
        """The same fault, with something that happens first."""
        return replace(self, before=action)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a server treats every client; by default without faults.

    :param cut_after: seconds after which a transfer is cut; None never.
    :param cut_http1_only: whether transfers over HTTP/2 are not cut.
    :param ignore_range: whether a Range is answered with the whole file.
    :param rate: bytes a second of each transfer; None for no limit.
    :param requests: that may come in six minutes; then 429 for an hour from the last request.
    :param publish: parts of names such as ``labels`` or ``CHECKSUM``: files appear in this order,
        those that none of them fits at once.
    :param publish_every: seconds between two of these.
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
    """The one place where a mirror's requests are noted and answered, whatever it speaks.

    :param answer: replies as a good server would: folder, request, which files are hidden, and
        whether a Range is honoured.
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
        """The answer, with the fault that the request meets; the request is noted."""
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
        """429 for who asks too often; asking again starts the hour again."""
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
    """The body at so many bytes a second."""
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
