"""A PgBouncer in front of a test's database."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from demo.environment import free_port

_START_SECONDS = 20


def program() -> str:
    """The path of PgBouncer; the test is skipped if it is not installed."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("PgBouncer is not installed (apt-get install pgbouncer)")
    return found


@contextlib.contextmanager
def pooler(dsn: str, mode: str, **settings: object) -> Iterator[str]:
    """A DSN of a database through PgBouncer.

    :param mode: its ``pool_mode``.
    :param settings: others of its settings.
    """
    command, port = program(), free_port()
    parts = conninfo_to_dict(dsn)
    place = {key: parts[key] for key in ("host", "port", "user", "password") if parts.get(key)}
    server = " ".join(f"{key}={value}" for key, value in place.items())
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": mode,
        "ignore_startup_parameters": "extra_float_digits",
        **settings,
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    folder = Path(tempfile.mkdtemp(prefix="discogs-pooler-", dir="/tmp"))
    folder.chmod(0o755)
    config = folder / "pgbouncer.ini"
    config.write_text(f"[databases]\n* = {server}\n[pgbouncer]\n{text}")
    config.chmod(0o644)
    # It refuses to run as root; the server's socket may be its user's alone.
    socket_folder = Path(str(place.get("host", "")))
    user = socket_folder.owner() if socket_folder.is_absolute() else "nobody"
    as_root = ["-u", user] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [command, *as_root, str(config)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            said = (folder / "log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)
        yield f"postgresql://postgres@127.0.0.1:{port}/{parts['dbname']}"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)
