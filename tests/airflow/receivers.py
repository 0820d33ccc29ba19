"""Receivers of alerts and metrics: a webhook, a StatsD and a mail server, each a real socket."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAIT_SECONDS = 600.0  # far more than a wait takes, for busy machines


@dataclass(frozen=True)
class Received:
    """One request to the webhook."""

    path: str
    headers: dict[str, str]
    body: Any

    @property
    def text(self) -> str:
        return str(self.body["text"])


class Webhook:
    """Records what is posted to it; can be closed, and opened again at the same address."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self.port = 0
        self.on_poll: Callable[[], None] | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.received]

    def open(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length))
                outer.received.append(Received(self.path, dict(self.headers), body))
                status = outer.statuses.pop(0) if outer.statuses else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{outer.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, *parts: str) -> str:
        """The first text that holds all the parts."""
        return str(
            wait(
                lambda: next((t for t in self.texts if all(p in t for p in parts)), ""),
                what=f"a text with {parts} is posted",
                on_poll=self.on_poll,
                explain=lambda: "\n".join(self.texts),
            )
        )


class StatsD:
    """Receives metrics over UDP."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.lines += data.decode().splitlines()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", ("127.0.0.1", self.port))
        self._socket.close()

    def values(self, name: str) -> list[float]:
        """The values of a metric, in the order in which they were sent."""
        start = f"{name}:"
        found = [line[len(start) :] for line in list(self.lines) if line.startswith(start)]
        return [float(value.partition("|")[0]) for value in found]


@dataclass
class Mails:
    """A mail server that accepts every mail."""

    texts: list[str] = field(default_factory=list)

    def __enter__(self) -> Mails:
        texts = self.texts

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 test\r\n")
                for line in self.rfile:
                    word = line[:4].strip().upper()
                    if word == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    if word != b"DATA":
                        self.wfile.write(b"250 ok\r\n")
                        continue
                    self.wfile.write(b"354 go on\r\n")
                    taken = []
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        taken.append(line)
                    texts.append(b"".join(taken).decode())
                    self.wfile.write(b"250 taken\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def wait(
    look: Callable[[], Any],
    *,
    what: str,
    on_poll: Callable[[], None] | None = None,
    explain: Callable[[], object] = lambda: "",
) -> Any:
    """Poll until ``look`` returns something true, and return it.

    :param on_poll: called before every poll; an exception that it raises ends the wait.
    :param explain: what to say of the state when nothing was found in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        if on_poll is not None:
            on_poll()
        if found := look():
            return found
        assert time.monotonic() < deadline, f"{what}: not in {WAIT_SECONDS:g} s. {explain()}"
        time.sleep(0.25)
