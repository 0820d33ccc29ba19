"""A local mirror: serves a folder of dumps over HTTP the way that Discogs' servers do.

Two layouts: ``data.discogs.com`` (HTML listing, ``?download=``, no answer without a
User-Agent, Range ignored, HEAD without a length) and ``s3`` (the bucket: XML listing,
Range and If-Range honoured). It is meant for demos and tests, on one's own machine.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import html
import logging
import re
import signal
import socket
import ssl
import struct
import threading
import urllib.parse
import xml.sax.saxutils
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from discogs.sample import faults as _faults
from discogs.sample.faults import Fault, Reply, Request

log = logging.getLogger(__name__)

Layout = Literal["data.discogs.com", "s3"]

_NAME = re.compile(
    r"discogs_([0-9]{4})[0-9]{4}_(?:(?:artists|labels|masters|releases)\.xml\.gz|CHECKSUM\.txt)"
)
_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))")


@dataclass(frozen=True)
class _File:
    key: str
    path: Path
    size: int
    modified: dt.datetime
    etag: str


def _files(folder: Path) -> list[_File]:
    """The dumps' files that lie in the folder now, in the order of their keys."""
    found = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is not None and path.is_file():
            found.append(_file(path, match[1]))
    return sorted(found, key=lambda item: item.key)


def _file(path: Path, year: str) -> _File:
    stat = path.stat()
    # Neither server's ETag is an MD5 of the content, so nobody may rely on that here either.
    etag = hashlib.sha1(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()
    modified = dt.datetime.fromtimestamp(stat.st_mtime, dt.timezone.utc)
    return _File(f"data/{year}/{path.name}", path, stat.st_size, modified, f'"{etag}-2"')


def _find(folder: Path, key: str) -> _File | None:
    """The file of a key such as ``data/2026/discogs_20260701_labels.xml.gz``."""
    year, _, name = key.removeprefix("data/").partition("/")
    match = _NAME.fullmatch(name)
    path = folder / name
    if not key.startswith("data/") or match is None or match[1] != year or not path.is_file():
        return None
    return _file(path, year)


def _read(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The bytes from start up to, not including, end."""
    with path.open("rb") as opened:
        opened.seek(start)
        left = end - start
        while left > 0 and (chunk := opened.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _shown(size: int) -> str:
    """A size as data.discogs.com writes it, such as ``388 B`` or ``10.4 GB``."""
    value, units = float(size), ["B", "KB", "MB", "GB", "TB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _page(text: str) -> bytes:
    return _faults.HTML % text.encode()


def _reply(status: int, body: bytes, content_type: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    stated = {"Content-Type": content_type, "Content-Length": str(len(body)), **named}
    return Reply(status, stated, iter([body]))


def _discogs(folder: Path, request: Request, query: dict[str, str], _range: bool) -> Reply:
    """Answer as data.discogs.com does."""
    if not request.headers.get("user-agent"):
        return _reply(403, _page("<h1>403 Forbidden</h1>"), "text/html")
    if "download" in query:
        file = _find(folder, query["download"])
        if file is not None:
            name = file.path.name
            text = name.endswith(".txt")
            headers = {
                "Content-Type": "text/plain" if text else "application/gzip",
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Length": str(file.size),
                "Last-Modified": email.utils.format_datetime(file.modified, usegmt=True),
                "ETag": file.etag,
            }
            if request.method == "HEAD":
                del headers["Content-Length"]
            return Reply(200, headers, _read(file.path, 0, file.size))
    prefix = query.get("prefix", "data/")
    rows: list[str] = []
    years = set()
    for file in _files(folder):
        if not file.key.startswith(prefix):
            continue
        rest = file.key[len(prefix) :]
        if "/" in rest:
            years.add(prefix + rest.partition("/")[0] + "/")
            continue
        link = "?download=" + urllib.parse.quote(file.key, safe="")
        name = html.escape(file.path.name)
        rows.append(
            f'{file.modified:%Y-%m-%d %H:%M:%S}   {_shown(file.size)}   <a href="{link}">{name}</a>'
        )
    folders = [
        f'<a href="?prefix={urllib.parse.quote(year, safe="")}">{html.escape(year)}</a>'
        for year in sorted(years)
    ]
    listing = "\n".join([*folders, *rows])
    return _reply(200, _page(f"<h2>Discogs Data</h2>\n<pre>{listing}\n</pre>"), "text/html")


def _error(status: int, code: str, text: str) -> Reply:
    body = f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code>"
    body += f"<Message>{text}</Message></Error>"
    return _reply(status, body.encode(), "application/xml")


def _s3(folder: Path, request: Request, query: dict[str, str], with_range: bool) -> Reply:
    """Answer as the S3 bucket does."""
    path = request.target.partition("?")[0].lstrip("/")
    if not path:
        return _s3_listing(folder, query)
    file = _find(folder, path)
    if file is None:
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    start, end = 0, file.size
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": file.etag,
        "Last-Modified": email.utils.format_datetime(file.modified, usegmt=True),
    }
    match = _RANGE.fullmatch(request.range or "")
    condition = request.headers.get("if-range")
    if match is not None and with_range and condition in (None, file.etag):
        if match[3] is not None:
            start = max(0, file.size - int(match[3]))
        else:
            start = int(match[1])
            end = min(file.size, int(match[2]) + 1 if match[2] else file.size)
        if start >= end:
            refused = _error(416, "InvalidRange", "The requested range is not satisfiable")
            refused.headers["Content-Range"] = f"bytes */{file.size}"
            return refused
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["Content-Length"] = str(end - start)
    status = 206 if "Content-Range" in headers else 200
    return Reply(status, headers, _read(file.path, start, end))


def _s3_listing(folder: Path, query: dict[str, str]) -> Reply:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    try:
        limit = min(1000, int(query.get("max-keys", "1000")))
    except ValueError:
        return _error(400, "InvalidArgument", "max-keys is not a number")
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
    escape = xml.sax.saxutils.escape
    rows: list[str] = []
    shared: set[str] = set()
    last, truncated = "", False
    for file in _files(folder):
        if not file.key.startswith(prefix):
            continue
        head, found, _ = file.key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        name = prefix + head + found if found else file.key
        if name <= after or name in shared:
            continue
        if len(rows) == limit:
            truncated = True
            break
        last = name
        if found:
            shared.add(name)
            rows.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
            continue
        rows.append(
            f"<Contents><Key>{escape(name)}</Key>"
            f"<LastModified>{file.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(file.etag)}</ETag><Size>{file.size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    head = f"<Name>discogs-data-dumps</Name><Prefix>{escape(prefix)}</Prefix>"
    head += f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(truncated).lower()}</IsTruncated>"
    if truncated:
        tag = "NextContinuationToken" if query.get("list-type") == "2" else "NextMarker"
        head += f"<{tag}>{escape(last)}</{tag}>"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{head}{''.join(rows)}</ListBucketResult>"
    )
    return _reply(200, body.encode(), "application/xml")


_ANSWERS = {"data.discogs.com": _discogs, "s3": _s3}


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
        answer = _ANSWERS[self.server.layout]
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
        """Cut what is under way and wait for every thread."""
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
