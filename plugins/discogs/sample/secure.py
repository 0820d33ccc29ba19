"""HTTPS for the local mirror: HTTP/2 and HTTP/1.1 by Hypercorn, with a self-signed certificate."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
import os
import socket
import threading
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from discogs.errors import DiscogsError
from discogs.sample.exchange import Exchange, Reply, Request

_STOP_SECONDS = 5.0


class MirrorExtraMissing(DiscogsError):
    """The packages that a mirror with TLS needs are not installed."""

    def __init__(self, module: str | None) -> None:
        super().__init__(
            f"A mirror with TLS needs {module}, which is not installed:"
            " python -m pip install 'airflow-discogs[mirror]', or hypercorn and cryptography."
        )


class SecureServer:
    """Serves an exchange over TLS, on an event loop in its own thread.

    :param tls: a PEM file of a key and its certificate.
    :raises MirrorExtraMissing: when Hypercorn is not installed.
    """

    def __init__(self, host: str, port: int, exchange: Exchange, tls: Path) -> None:
        try:
            from hypercorn.config import Config
        except ModuleNotFoundError as error:
            raise MirrorExtraMissing(error.name) from None
        self.accepted = 0
        self._exchange = exchange
        self._socket = socket.create_server((host, port), backlog=64)
        self.address = (host, int(self._socket.getsockname()[1]))
        config = Config()
        config.certfile = config.keyfile = str(tls)
        config.alpn_protocols = ["h2", "http/1.1"]
        # Hypercorn ends a cut HTTP/2 stream by closing its idle connection.
        config.keep_alive_timeout = 1
        config.graceful_timeout = 0.1
        config.errorlog = logging.getLogger(f"{__name__}.errors")
        config.errorlog.setLevel(logging.CRITICAL)
        self._config = config
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="discogs-mirror", daemon=True
        )

    def start(self) -> None:
        self._config.bind = [f"fd://{self._socket.detach()}"]  # which Hypercorn closes
        self._thread.start()
        self._ready.wait(_STOP_SECONDS)

    def stop(self) -> None:
        if self._loop is not None and self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_STOP_SECONDS)
        self._socket.close()

    async def _serve(self) -> None:
        from hypercorn.asyncio import serve

        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await serve(self._app, self._config, shutdown_trigger=self._ending.wait)  # type: ignore[arg-type]

    async def _app(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        query = scope["query_string"].decode("latin-1")
        raw = scope["raw_path"].decode("latin-1").partition("?")[0] + (f"?{query}" if query else "")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        headers[":raw"] = raw
        request = Request(
            scope["method"], urllib.parse.unquote(raw), headers, scope["http_version"]
        )
        try:
            await self._send(request, await asyncio.to_thread(self._exchange.reply, request), send)
        finally:
            request.end()

    async def _send(
        self, request: Request, reply: Reply, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        named = [(k.lower().encode(), v.encode("latin-1")) for k, v in reply.headers.items()]
        if request.version != "2":
            # Closing TLS takes both sides, and an idle client does not respond.
            named.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": named})
        sent, last = 0, {"type": "http.response.body", "body": b"", "more_body": False}
        if request.method == "HEAD":
            await send(last)
            return
        while chunk := await asyncio.to_thread(next, reply.body, b""):
            if self._exchange.stopping.is_set():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            sent += len(chunk)
        # Without the last message, Hypercorn cuts the transfer.
        if reply.headers.get("Content-Length", str(sent)) == str(sent):
            await send(last)


def write_certificate(path: Path, host: str) -> None:
    """Write a new key and a self-signed certificate for a host; clients must be given the file.

    :param host: a name or an address; ``localhost`` and ``127.0.0.1`` are added.
    :raises MirrorExtraMissing: when cryptography is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ModuleNotFoundError as error:
        raise MirrorExtraMissing(error.name) from None
    names: list[x509.GeneralName] = []
    for name in dict.fromkeys([host, "localhost", "127.0.0.1"]):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            names.append(x509.DNSName(name))
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "discogs-mirror")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private + certificate.public_bytes(serialization.Encoding.PEM))
