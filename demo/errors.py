"""Errors of the local Airflow and its PostgreSQL."""

from __future__ import annotations

from discogs.errors import DiscogsError


class EmbeddedServerFailed(DiscogsError):
    """The embedded PostgreSQL could not be made, started or stopped."""

    def __init__(self, folder: object, detail: str) -> None:
        place = f" in {folder}" if folder is not None else ""
        super().__init__(f"The embedded PostgreSQL{place} failed: {detail}")


class AirflowRefused(DiscogsError):
    """Airflow's API answered a call with an error."""

    def __init__(self, method: str, path: str, status: int, answer: str) -> None:
        self.status = status
        super().__init__(f"Airflow answered {method} {path} with {status}: {answer[:500]}")


class LocalAirflowFailed(DiscogsError):
    """The Airflow of ``make demo`` or ``make up`` does not come up or does not do its work."""
