"""moto's S3-compatible server, and its buckets."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.environment import free_port

BUCKET = "dumps-of-discogs"
_START_SECONDS = 60


def require() -> None:
    """Skip the test if the server, or the client of the extra s3, is not installed."""
    for module in ("moto", "flask", "flask_cors", "s3fs"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (pip install -r requirements-test.txt)")


@dataclass(frozen=True)
class Bucket:
    """A bucket of a server.

    :param url: the server's.
    """

    url: str
    key: str = "key"
    secret: str = "secret"
    name: str = BUCKET

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )

    def connection(self, **changes: Any) -> str:
        """An Airflow connection to the server, as the README has it."""
        values = {
            "conn_type": "aws",
            "login": self.key,
            "password": self.secret,
            "extra": {"endpoint_url": self.url, "region_name": "us-east-1"},
        }
        return json.dumps({**values, **changes})

    def names(self) -> list[str]:
        found = self.client().list_objects_v2(Bucket=self.name)
        return sorted(item["Key"] for item in found.get("Contents", []))

    def read(self, name: str) -> bytes:
        data: bytes = self.client().get_object(Bucket=self.name, Key=name)["Body"].read()
        return data

    def unfinished(self) -> list[str]:
        """The keys of multipart uploads that were neither completed nor aborted."""
        found = self.client().list_multipart_uploads(Bucket=self.name)
        return [item["Key"] for item in found.get("Uploads", [])]

    def empty(self) -> None:
        client = self.client()
        for name in self.names():
            client.delete_object(Bucket=self.name, Key=name)


@contextlib.contextmanager
def server(folder: Path, **environment: str) -> Iterator[str]:
    """Start a server without buckets; yields its address.

    :param folder: for its log.
    """
    require()
    port = free_port()
    program = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, (folder / "moto.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


class Line:
    """A line to a server that can be cut: it passes on bytes until so many have gone to it."""

    def __init__(self, url: str) -> None:
        self._target = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.left: float = float("inf")
        """Bytes that still pass; below 0 the line is cut."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.left < 0:
                client.close()
                continue
            there = socket.create_connection(self._target)
            for source, sink, counted in ((client, there, True), (there, client, False)):
                threading.Thread(
                    target=self._pass_on, args=[source, sink, counted], daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.left -= len(data) if counted else 0
                if self.left < 0:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
