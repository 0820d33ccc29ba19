"""A local mirror: serves a folder of dumps over HTTP the way that Discogs' servers do.

Two layouts: ``data.discogs.com`` (HTML listing, ``?download=``, no answer without a
User-Agent, Range ignored, HEAD without a length) and ``s3`` (the bucket: XML listing,
Range and If-Range honoured). It is meant for demos and tests, on one's own machine.
"""

from __future__ import annotations

import logging
import re
import signal
import socket
import ssl
import struct
import threading
import urllib.parse
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from discogs.sample import faults as _faults
from discogs.sample.faults import Fault, Reply, Request
from discogs.sample.layouts import ANSWERS, Layout

__all__ = ["Layout", "Mirror", "serve"]

log = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version = "discogs-mirror"

    def setup(self) -> None:
        if self.server.tls is not None:
            self.request.settimeout(self.timeout)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.connections.add(self.request)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.server.connections.discard(self.request)
        if self.server.tls is not None:
            self.request.close()

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers[":raw"] = self.path
        request = Request(self.command, urllib.parse.unquote(self.path), headers)
        fault = self.server.take(request)
        if fault is not None and fault.before is not None:
            fault.before()
        pairs = urllib.parse.parse_qsl(
            urllib.parse.urlsplit(self.path).query, keep_blank_values=True
        )
        with_range = fault is None or fault.name != _faults.IGNORED_RANGE
        answer = ANSWERS[self.server.layout]
        reply = answer(self.server.folder, request, dict(pairs), with_range)
        if fault is not None and fault.effect is not None:
            reply = fault.effect(request, reply, self.server.stopping.wait)
        try:
            self._send(reply)
        except (BrokenPipeError, ConnectionResetError, TimeoutError, ssl.SSLError):
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        sent = 0
        if reply.status:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if self.command == "HEAD":
                self.end_headers()
                return
            stated = reply.headers.get("Content-Length")
            if stated is None:
                self.send_header("Connection", "close")
            self.end_headers()
            for chunk in reply.body:
                if self.server.stopping.is_set():
                    break
                self.wfile.write(chunk)
                sent += len(chunk)
            self.close_connection = self.close_connection or stated != str(sent)
        if reply.reset:
            self.wfile.flush()
            _reset(self.connection)
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def _reset(connection: socket.socket) -> None:
    """Let the closing of the connection send a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for them
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], folder: Path, layout: Layout, tls: ssl.SSLContext | None
    ) -> None:
        self.folder, self.layout, self.tls = folder, layout, tls
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self.seen: list[Request] = []
        self.accepted = 0
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, int | None]] = []
        super().__init__(address, _Handler)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append((fault, fault.times))

    def take(self, request: Request) -> Fault | None:
        """Note the request, and the fault that it meets."""
        with self._lock:
            self.seen.append(request)
            return self._next(lambda fault: fault.applies(request))

    def _next(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        for index, (fault, left) in enumerate(self._faults):
            if left != 0 and wanted(fault):
                self._faults[index] = (fault, None if left is None else left - 1)
                return fault
        return None

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            self.accepted += 1
            refused = self._next(lambda fault: fault.on_connect) is not None
        if refused:
            _reset(request)
            request.close()
            return False
        self.connections.add(request)
        return True

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        if request.fileno() >= 0:
            # Without SHUT_WR first, which would turn a reset into an end of stream.
            self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("A connection ended with an error.", exc_info=True)

    def end_connections(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("A connection was closed already.")


class Mirror:
    """A mirror on a thread of its own, for use in a ``with``.

    Files that are put into the folder appear at once. ``seen`` lists the requests that came.

    :param folder: where ``discogs_YYYYMMDD_*`` files of any months lie side by side.
    :param layout: ``data.discogs.com`` or ``s3``.
    :param port: 0 takes a free one.
    :param faults: how it misbehaves.
    :param tls: serves HTTPS with this context.
    """

    def __init__(
        self,
        folder: Path,
        layout: Layout = "data.discogs.com",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[Fault] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder: there is nothing to serve.")
        self._server = _Server((host, port), folder, layout, tls)
        self._thread: threading.Thread | None = None
        for fault in faults:
            self._server.add(fault)

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        host, port = self._server.server_address[:2]
        scheme = "http" if self._server.tls is None else "https"
        return f"{scheme}://{host!s}:{port}"

    @property
    def seen(self) -> list[Request]:
        """The requests so far, in their order."""
        return list(self._server.seen)

    @property
    def connections(self) -> int:
        """How many connections were made, refused ones included."""
        return self._server.accepted

    def count(self, match: str) -> int:
        """How many requests had a target that contains this pattern."""
        return sum(1 for request in self.seen if re.search(match, request.target))

    def add(self, fault: Fault) -> None:
        """Misbehave in one more way."""
        self._server.add(fault)

    def start(self) -> None:
        """Serve from now on."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="discogs-mirror", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Chunk what is under way and wait for every thread."""
        self._server.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.end_connections()
        self._server.server_close()

    def __enter__(self) -> Mirror:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(
    folder: Path,
    port: int,
    layout: Layout = "data.discogs.com",
    *,
    host: str = "127.0.0.1",
    on_ready: Callable[[str], object] | None = None,
) -> None:
    """Serve a folder until SIGINT or SIGTERM; call it from the main thread.

    :param on_ready: called with the mirror's address once it answers.
    :raises NotADirectoryError: when the folder is not there.
    :raises OSError: when the port cannot be had.
    """
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Mirror(folder, layout, host=host, port=port) as mirror:
            log.info("Serving %s as %s at %s", folder, layout, mirror.url)
            if on_ready is not None:
                on_ready(mirror.url)
            # A wait without a time-out would keep signals from being handled on some systems.
            while not ended.wait(0.5):
                continue
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
