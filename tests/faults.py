"""Faults of servers, for the local mirror."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from discogs.sample.exchange import Fault, Reply, Request, Wait

HTML = b"<!DOCTYPE html>\n<html><head><title>Discogs Data</title></head>\n<body>%s</body></html>\n"


def _limited(body: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in body:
        if size <= 0:
            return
        yield chunk[:size]
        size -= len(chunk)


def cut(after: int, *, reset: bool = False) -> Fault:
    """The connection ends after some bytes of the body, optionally with a reset."""

    def effect(_request: Request, reply: Reply, _wait: Wait) -> Reply:
        return replace(reply, body=_limited(reply.body, after), reset=reset)

    return Fault(f"cut after {after} bytes", effect)


def status(code: int, *, retry_after: str | None = None, body: bytes = b"") -> Fault:
    """Another status, such as 503 or 429, optionally with Retry-After."""

    def effect(_request: Request, _reply: Reply, _wait: Wait) -> Reply:
        headers = {"Content-Type": "text/plain", "Content-Length": str(len(body))}
        if retry_after is not None:
            headers["Retry-After"] = retry_after
        return Reply(code, headers, iter([body]))

    return Fault(f"status {code}", effect)


def slow(bytes_per_second: int, *, chunk: int = 64) -> Fault:
    """A body that is sent slowly."""

    def effect(_request: Request, reply: Reply, wait: Wait) -> Reply:
        def drip() -> Iterator[bytes]:
            for block in reply.body:
                for start in range(0, len(block), chunk):
                    yield block[start : start + chunk]
                    wait(chunk / bytes_per_second)

        return replace(reply, body=drip())

    return Fault(f"{bytes_per_second} bytes a second", effect)


def stall(after: int, seconds: float) -> Fault:
    """A body that stops for some seconds after some bytes, and then continues."""

    def effect(_request: Request, reply: Reply, wait: Wait) -> Reply:
        def stalled() -> Iterator[bytes]:
            left: int | None = after
            for block in reply.body:
                if left is not None and left < len(block):
                    yield block[:left]
                    wait(seconds)
                    yield block[left:]
                    left = None
                    continue
                yield block
                left = None if left is None else left - len(block)

        return replace(reply, body=stalled())

    return Fault(f"stalled after {after} bytes", effect)


def length(by: int) -> Fault:
    """A Content-Length that is wrong by some bytes."""

    def effect(_request: Request, reply: Reply, _wait: Wait) -> Reply:
        stated = int(reply.headers["Content-Length"]) + by
        return replace(reply, headers={**reply.headers, "Content-Length": str(stated)})

    return Fault(f"Content-Length wrong by {by}", effect)


def no_length() -> Fault:
    """No Content-Length: the body ends with the connection."""

    def effect(_request: Request, reply: Reply, _wait: Wait) -> Reply:
        headers = {k: v for k, v in reply.headers.items() if k != "Content-Length"}
        return replace(reply, headers=headers)

    return Fault("no Content-Length", effect)


def wrong_range(shift: int) -> Fault:
    """A 206 whose Content-Range does not start as requested."""

    def effect(_request: Request, reply: Reply, _wait: Wait) -> Reply:
        match = re.fullmatch(r"bytes ([0-9]+)-(.*)", reply.headers.get("Content-Range", ""))
        if match is None:
            return reply
        stated = f"bytes {int(match[1]) + shift}-{match[2]}"
        return replace(reply, headers={**reply.headers, "Content-Range": stated})

    return replace(Fault(f"206 shifted by {shift}", effect), only_ranges=True)


def ignored_range() -> Fault:
    """A Range that is answered with 200 and the whole file."""
    return Fault("Range ignored", only_ranges=True, ignores_range=True)


def refused_range() -> Fault:
    """416 for a Range."""
    return replace(status(416), name="416", only_ranges=True)


def html(text: bytes = b"<h1>Please come back later</h1>") -> Fault:
    """A web page with status 200 instead of the file."""

    def effect(_request: Request, _reply: Reply, _wait: Wait) -> Reply:
        page = HTML % text
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))}
        return Reply(200, headers, iter([page]))

    return Fault("HTML with 200", effect)


def content(body: bytes, **headers: str) -> Fault:
    """Other content with status 200; header names with ``_`` for ``-``."""

    def effect(_request: Request, _reply: Reply, _wait: Wait) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Reply(200, {"Content-Length": str(len(body)), **named}, iter([body]))

    return Fault("other content", effect)


def corrupt(at: int) -> Fault:
    """One byte of the body, at a position, with all bits inverted."""

    def effect(_request: Request, reply: Reply, _wait: Wait) -> Reply:
        def turned() -> Iterator[bytes]:
            start = 0
            for block in reply.body:
                if start <= at < start + len(block):
                    changed = bytearray(block)
                    changed[at - start] ^= 0xFF
                    yield bytes(changed)
                else:
                    yield block
                start += len(block)

        return replace(reply, body=turned())

    return Fault(f"byte {at} corrupted", effect)


def redirect(to: str, code: int = 302) -> Fault:
    """A redirect to another address; ``{target}`` stands for the requested target."""

    def effect(request: Request, _reply: Reply, _wait: Wait) -> Reply:
        place = to.replace("{target}", request.headers.get(":raw", request.target))
        return Reply(code, {"Location": place, "Content-Length": "0"}, iter([b""]))

    return Fault(f"redirect to {to}", effect)


def redirect_loop() -> Fault:
    """A redirect to itself."""
    return redirect("{target}").repeated(None)


def reset() -> Fault:
    """A reset instead of a response."""

    def effect(_request: Request, _reply: Reply, _wait: Wait) -> Reply:
        return Reply(0, {}, iter([]), reset=True)

    return Fault("reset before the answer", effect)


def reset_on_connect(times: int | None = 1) -> Fault:
    """Connections that are reset at once."""
    return Fault("reset on connect", on_connect=True, times=times)


def action(call: Callable[[], object]) -> Fault:
    """A correct response, with an action before it."""
    return Fault("action", before=call)
