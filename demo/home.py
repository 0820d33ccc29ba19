"""The folder of a local Airflow: its state, logs and secrets."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.errors import LocalAirflowFailed

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Home:
    """The folder of a local Airflow; a machine may have several."""

    folder: Path

    @classmethod
    def from_environment(cls) -> Home:
        """``DISCOGS_HOME``, or ``.demo`` in the project."""
        given = os.environ.get("DISCOGS_HOME", "").strip()
        return cls(Path(given).expanduser().absolute() if given else PROJECT / ".demo")

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def run(self) -> Path:
        """The files by which later commands find the processes."""
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def dumps(self) -> Path:
        """The generated dumps, which the mirror serves."""
        return self.folder / "dumps"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Allow one command at a time for a home.

        :raises LocalAirflowFailed: when another one is running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalAirflowFailed(
                    f"Another command is running in {self.folder}: wait until it is done."
                ) from None
            yield
        finally:
            os.close(handle)

    def secrets(self) -> dict[str, str]:
        """The password and keys, generated on the first call and kept."""
        path = self.folder / "secrets.json"
        with contextlib.suppress(FileNotFoundError):
            kept: dict[str, str] = json.loads(path.read_text())
            return kept
        made = {
            "password": secrets.token_urlsafe(12),
            "jwt": secrets.token_urlsafe(48),
            "session": secrets.token_urlsafe(32),
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        self.write_private("secrets.json", made)
        return made

    def write_private(self, name: str, content: Any) -> Path:
        """Write JSON that only this user can read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump(content, opened)
        fresh.replace(path)
        return path
