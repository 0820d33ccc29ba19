"""A local mirror, which serves a folder of dumps over HTTP as Discogs' servers do.

There are two layouts: ``data.discogs.com`` (HTML listing, ``?download=``, 403 without a User-Agent,
Range ignored, HEAD without a length) and ``s3`` (the bucket: XML listing, Range and If-Range
honoured). It is meant for demos and tests, and for serving dumps that were fetched once to other
machines of a trusted network. With ``tls`` it also speaks HTTP/2.
"""

from __future__ import annotations

import logging
import re
import signal
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from discogs.sample.exchange import Behaviour, Exchange, Fault, Reply, Request
from discogs.sample.layouts import ANSWERS

__all__ = ["Behaviour", "Mirror", "serve"]

log = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    server: PlainServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version = "discogs-mirror"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers[":raw"] = self.path
        request = Request(self.command, urllib.parse.unquote(self.path), headers)
        try:
            self._send(self.server.exchange.reply(request))
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
        finally:
            request.end()

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
                if self.server.exchange.stopping.is_set():
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
    """Make closing the connection send a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server(Protocol):
    """A server of an exchange."""

    address: tuple[str, int]
    accepted: int

    def start(self) -> None: ...
    def stop(self) -> None: ...


class PlainServer(ThreadingHTTPServer):
    """HTTP/1.1 without TLS."""

    daemon_threads = False  # so that server_close() waits for them
    request_queue_size = 64

    def __init__(self, host: str, port: int, exchange: Exchange) -> None:
        self.exchange = exchange
        self.connections: set[socket.socket] = set()
        self.accepted = 0
        self._thread: threading.Thread | None = None
        super().__init__((host, port), _Handler)
        self.address = (host, self.server_port)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.accepted += 1
        if self.exchange.refuses_connection():
            _reset(request)
            request.close()
            return False
        self.connections.add(request)
        return True

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        if request.fileno() >= 0:
            # Not preceded by SHUT_WR, which would send an end of stream instead of a reset.
            self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("A connection ended with an error.", exc_info=True)

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), name="discogs-mirror", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("A connection was closed already.")
        self.server_close()


class Mirror:
    """A mirror in its own thread; a context manager.

    Files that are added to the folder are served at once. ``seen`` lists the requests.

    :param folder: has ``discogs_YYYYMMDD_*`` files of any months.
    :param layout: ``data.discogs.com`` or ``s3``.
    :param port: 0 chooses a free port.
    :param faults: faults of single requests.
    :param behaviour: the treatment of all clients.
    :param tls: a file of key and certificate, to serve HTTPS with HTTP/2 and HTTP/1.1.
    :raises NotADirectoryError: when the folder does not exist.
    :raises OSError: when the port is not available.
    """

    def __init__(
        self,
        folder: Path,
        layout: str = "data.discogs.com",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[Fault] = (),
        behaviour: Behaviour | None = None,
        tls: Path | None = None,
    ) -> None:
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder: there is nothing to serve.")
        self._scheme = "http" if tls is None else "https"
        self._exchange = Exchange(folder, ANSWERS[layout], behaviour or Behaviour())
        for fault in faults:
            self._exchange.add(fault)
        self._server: Server
        if tls is None:
            self._server = PlainServer(host, port, self._exchange)
        else:
            from discogs.sample.secure import SecureServer

            self._server = SecureServer(host, port, self._exchange, tls)

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        host, port = self._server.address
        return f"{self._scheme}://{host}:{port}"

    @property
    def seen(self) -> list[Request]:
        """The requests so far, in order."""
        return list(self._exchange.seen)

    @property
    def connections(self) -> int:
        """How many connections were made, refused ones included; 0 with TLS."""
        return self._server.accepted

    def count(self, match: str) -> int:
        """How many requests had a target that matches a pattern."""
        return sum(1 for request in self.seen if re.search(match, request.target))

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._exchange.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._exchange.clear_faults()

    def start(self) -> None:
        """Start to serve."""
        self._server.start()

    def stop(self) -> None:
        """Cut all transfers, and wait for the threads."""
        self._exchange.stopping.set()
        self._server.stop()

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


def serve(mirror: Mirror, *, on_ready: Callable[[str], object] | None = None) -> None:
    """Run a mirror until SIGINT or SIGTERM; to be called from the main thread.

    :param on_ready: called with the mirror's address when it is ready.
    """
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with mirror:
            if on_ready is not None:
                on_ready(mirror.url)
            # On some systems signals are not handled during a wait without a timeout.
            while not ended.wait(0.5):
                continue
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
