"""A gate between a load and its server, which can stop the load at any statement.

The load connects to the gate's Unix socket, and the gate to the server. It parses as much of
PostgreSQL's protocol as it needs to see each statement before the server does. So a test can kill,
pause or disconnect a load at an exact point, without any support in the load.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_PORT = 5432
#: How a backend's message "ready for query" starts; one byte follows.
_READY = b"Z\x00\x00\x00\x05"


@dataclass(frozen=True)
class Point:
    """A place in a load: the n-th statement that matches, and how far it is let.

    ``when`` is ``before`` the server gets it, ``sent`` when it has got it, or ``answered`` when
    it has executed it, but the load has not got the answer. Data of a COPY is a statement ``DATA
    COPY …``, and a commit names the statement before it: ``COMMIT after …``.
    """

    name: str
    statement: str = ""
    nth: int = 1
    when: str = "before"

    def __str__(self) -> str:
        return self.name


class Gate:
    """Forwards all messages up to a point, and calls ``act`` there.

    :param act: called at the point; True continues to forward, False closes the connection.
    """

    def __init__(self, dsn: str, point: Point | None, act: Callable[[], bool]) -> None:
        parts = conninfo_to_dict(dsn)
        self._server = str(parts.get("host") or "localhost"), int(parts.get("port") or _PORT)
        self._point = point
        self._act = act
        self._folder = Path(tempfile.mkdtemp(prefix="gate-", dir="/tmp"))
        self._lock = threading.Lock()
        self._seen = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.dsn = make_conninfo(dsn, host=str(self._folder), port=_PORT)
        self.statements: list[str] = []
        self.reached = threading.Event()
        self.errors: list[BaseException] = []

    def __enter__(self) -> Gate:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / f".s.PGSQL.{_PORT}"))
        self._listener.listen(64)
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            _cut(one)
        for thread in self._threads:
            thread.join(10)
        for one in self._sockets:
            one.close()
        shutil.rmtree(self._folder)
        if error is None and self.errors:
            raise self.errors[0]

    def _start(self, target: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = self._connect()
            except OSError:  # the server is down: so is what stands before it
                client.close()
                continue
            self._sockets += [client, server]
            connection = _Connection(client, server)
            self._start(self._forward, connection)
            self._start(self._return, connection)

    def _connect(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"{host}/.s.PGSQL.{port}")
        except OSError:
            server.close()
            raise
        return server

    def _forward(self, connection: _Connection) -> None:
        """From the load to the server."""
        try:
            for message, text in connection.messages():
                when = self._arrived(text)
                if when == "answered":
                    connection.held.set()
                if when == "before" and not self._stop():
                    break
                connection.server.sendall(message)
                if when == "sent" and not self._stop():
                    break
        except OSError:
            pass
        connection.cut()

    def _return(self, connection: _Connection) -> None:
        """From the server to the load."""
        try:
            while data := connection.server.recv(1 << 16):
                if connection.held.is_set():
                    if data[-6:-1] != _READY:
                        continue
                    connection.held.clear()
                    if not self._stop():
                        break
                connection.client.sendall(data)
        except OSError:
            pass
        connection.cut()

    def _arrived(self, text: str | None) -> str | None:
        """Record a statement; returns how it is to be stopped, if it is the point."""
        if text is None:
            return None
        with self._lock:
            self.statements.append(text)
            if self._point is None or self.reached.is_set():
                return None
            if not re.search(self._point.statement, text):
                return None
            self._seen += 1
            if self._seen != self._point.nth:
                return None
            self.reached.set()
            return self._point.when

    def _stop(self) -> bool:
        try:
            return self._act()
        except BaseException as error:
            self.errors.append(error)
            return False


class _Connection:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.held = threading.Event()

    def cut(self) -> None:
        _cut(self.client)
        _cut(self.server)

    def messages(self) -> Iterator[tuple[bytes, str | None]]:
        """What the load sends, message by message, with the statement that it runs."""
        reader = self.client.makefile("rb")
        prepared: dict[bytes, str] = {}
        last = ""
        first = reader.read(4)  # the startup message has no type
        if len(first) == 4:
            yield first + reader.read(struct.unpack("!I", first)[0] - 4), None
        while len(head := reader.read(5)) == 5:
            body = reader.read(struct.unpack("!I", head[1:])[0] - 4)
            kind, text = head[:1], None
            if kind == b"Q":
                text = _statement(body)
                if text == "COMMIT":
                    text = f"COMMIT after {last}"
                if not text.startswith("DEALLOCATE"):  # the driver's own housekeeping
                    last = text
            elif kind == b"P":
                name, _, rest = body.partition(b"\0")
                prepared[name] = _statement(rest)
            elif kind == b"B":
                text = last = prepared[body.split(b"\0", 2)[1]]
            elif kind == b"d":
                text = f"DATA {last}"
            yield head + body, text


def _statement(body: bytes) -> str:
    """A statement's text on one line, without comments."""
    text = body.partition(b"\0")[0].decode()
    return " ".join(re.sub(r"--[^\n]*", "", text).replace('"', "").split())


def _cut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
