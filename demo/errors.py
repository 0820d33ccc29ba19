"""Errors of the local Airflow and its PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from discogs.errors import DiscogsError

LOG_LINES = 25


class EmbeddedServerFailed(DiscogsError):
    """The embedded PostgreSQL could not be created, started or stopped."""

    def __init__(self, folder: object, detail: str) -> None:
        place = f" in {folder}" if folder is not None else ""
        super().__init__(f"The embedded PostgreSQL{place} failed: {detail}")


class AirflowRefused(DiscogsError):
    """Airflow's API answered a call with an error."""

    def __init__(self, method: str, path: str, status: int, answer: str) -> None:
        self.status = status
        super().__init__(f"Airflow answered {method} {path} with {status}: {answer[:500]}")


class LocalAirflowFailed(DiscogsError):
    """The Airflow of ``make demo`` or ``make up`` does not start or does not work."""


class ComponentEnded(LocalAirflowFailed):
    """A process of the local Airflow has ended unexpectedly; it is restarted.

    :param how: such as ``exit code 1``.
    """

    def __init__(self, name: str, how: str, log: Path) -> None:
        self.name = name
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        end = "".join(f"\n  {line}" for line in lines[-LOG_LINES:])
        super().__init__(f"Airflow's {name} has ended ({how}). The end of {log}:{end}")
