"""Every setting of the package: an environment variable, a default, and what it does.

The README's table is generated from this module, so a new setting is one line here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from discogs import __version__
from discogs.errors import InvalidSetting

MIB = 1024 * 1024
GIB = 1024 * MIB

#: What may be told to somebody; see :mod:`discogs.airflow.notifications`.
ALERTS = ("failure", "retry_limit", "success", "late")

_UNITS = {"": 1, "K": 1024, "M": MIB, "G": GIB, "T": 1024 * GIB}


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def parse(name: str, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise InvalidSetting(name, text, f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _share(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise InvalidSetting(name, text, "a share from 0 to 1, such as 0.02")
    return value


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 30 * 86400:
        raise InvalidSetting(name, text, "seconds, more than 0 and at most 30 days")
    return value


def _bytes(name: str, text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,12})\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise InvalidSetting(name, text, "a number of bytes, such as 4194304, 4MB or 1GB")
    return int(match[1]) * _UNITS[match[2].upper()]


def _identifier(name: str, text: str) -> str:
    # 63 bytes is PostgreSQL's limit; room is left for the suffix of the staging schema.
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,50}", text):
        raise InvalidSetting(name, text, "a schema name of lower-case letters, digits and _")
    return text


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def parse(name: str, text: str) -> str:
        if text not in choices:
            raise InvalidSetting(name, text, " or ".join(choices))
        return text

    return parse


def _text(_name: str, text: str) -> str:
    return text


def _keep(name: str, text: str) -> int | None:
    if text == "all":
        return None
    try:
        return _whole(0, 1000)(name, text)
    except InvalidSetting:
        raise InvalidSetting(name, text, "a number of months, or all") from None


def _header(name: str, text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?", text):
        raise InvalidSetting(name, text, "at most 200 printable ASCII characters")
    return text


def _alerts(name: str, text: str) -> tuple[str, ...]:
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    if chosen == ["all"]:
        return ALERTS
    if not set(chosen) <= set(ALERTS):
        raise InvalidSetting(name, text, f"a comma list of {', '.join(ALERTS)}, or all")
    return tuple(alert for alert in ALERTS if alert in chosen)


def _yes(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidSetting(name, text, "true or false")
    return text.lower() == "true"


def _optional(_name: str, text: str) -> str | None:
    return text or None


def _asset_database(name: str, text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?/[A-Za-z0-9._-]+", text):
        raise InvalidSetting(name, text, "host/database or host:port/database, without a login")
    host, _, database = text.partition("/")
    return text if ":" in host else f"{host}:5432/{database}"


def _storage() -> str:
    home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
    return str(Path(home) / "discogs-dumps")


def _processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _setting(
    name: str,
    default: str | Callable[[], str],
    about: str,
    parse: Callable[[str, str], Any],
    shown: str | None = None,
) -> Any:
    def make() -> Any:
        return parse(name, default if isinstance(default, str) else default())

    shown = shown if shown is not None else (default if isinstance(default, str) else "")
    metadata = {"name": name, "about": about, "parse": parse, "shown": shown}
    return field(default_factory=make, metadata=metadata)


def _workers() -> str:
    return str(max(1, min(8, _processors())))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process; ``Settings.from_environment()`` reads them."""

    schema: str = _setting(
        "DISCOGS_SCHEMA", "discogs", "schema of all tables in the target database", _identifier
    )
    shards: int = _setting(
        "DISCOGS_SHARDS", "1", "staging tasks an entity, by record id modulo shards", _whole(1, 64)
    )
    engine: str = _setting(
        "DISCOGS_ENGINE",
        "fast",
        "parser: `fast` (xml2arrow, the careful one where it fails) or `careful` (lxml)",
        _one_of("fast", "careful"),
    )
    parse_workers: int = _setting(
        "DISCOGS_PARSE_WORKERS",
        _workers,
        "threads that parse and COPY in one staging task, each with a connection of its own",
        _whole(1, 64),
        shown="processors, at most 8",
    )
    key_connections: int = _setting(
        "DISCOGS_KEY_CONNECTIONS",
        _workers,
        "connections that build keys and indexes after a first load",
        _whole(1, 64),
        shown="processors, at most 8",
    )
    block_bytes: int = _setting(
        "DISCOGS_BLOCK_BYTES", "4MB", "XML handed to a parser at a time", _bytes
    )
    flush_bytes: int = _setting(
        "DISCOGS_FLUSH_BYTES", "16MB", "XML that a worker parses between two COPYs", _bytes
    )
    max_record_bytes: int = _setting(
        "DISCOGS_MAX_RECORD_BYTES", "16MB", "a longer record is rejected unread", _bytes
    )
    maintenance_memory: int = _setting(
        "DISCOGS_MAINTENANCE_MEMORY",
        "256MB",
        "memory of the server for each connection that builds keys, and for a merge",
        _bytes,
    )
    swap_seconds: float = _setting(
        "DISCOGS_SWAP_SECONDS",
        "3600",
        "seconds that a first load waits for readers before its tables take the empty ones' place",
        _seconds,
    )
    max_shrink: float = _setting(
        "DISCOGS_MAX_SHRINK",
        "0.02",
        "a dump with fewer records than the month before by more than this share is refused",
        _share,
    )
    max_rejected: float = _setting(
        "DISCOGS_MAX_REJECTED",
        "0.001",
        "a dump with more rejected records than this share is refused",
        _share,
    )
    storage: str = _setting(
        "DISCOGS_STORAGE",
        _storage,
        "where dumps lie: a folder, or an address such as `s3://connection@bucket/dumps`",
        _text,
        shown="`discogs-dumps` in AIRFLOW_HOME",
    )
    keep_months: int | None = _setting(
        "DISCOGS_KEEP_MONTHS",
        "1",
        "completed months whose files are kept: a number or `all`",
        _keep,
    )
    stale_part_seconds: float = _setting(
        "DISCOGS_STALE_PART_SECONDS",
        "604800",
        "age at which an unfinished download that no run uses is deleted",
        _seconds,
    )
    user_agent: str = _setting(
        "DISCOGS_USER_AGENT",
        f"airflow-discogs/{__version__}",
        "sent with every request; servers refuse requests without one",
        _header,
    )
    download_attempts: int = _setting(
        "DISCOGS_DOWNLOAD_ATTEMPTS",
        "5",
        "attempts inside one task, for faults that may pass",
        _whole(1, 100),
    )
    connect_timeout: float = _setting(
        "DISCOGS_CONNECT_TIMEOUT", "15", "seconds until a server must accept a connection", _seconds
    )
    read_timeout: float = _setting(
        "DISCOGS_READ_TIMEOUT", "60", "seconds that a server may send nothing", _seconds
    )
    transfer_timeout: float = _setting(
        "DISCOGS_TRANSFER_TIMEOUT", "43200", "seconds for one file, all attempts together", _seconds
    )
    max_retry_after: float = _setting(
        "DISCOGS_MAX_RETRY_AFTER",
        "120",
        "a longer Retry-After is left to Airflow's retries instead of waited for",
        _seconds,
    )
    progress_seconds: float = _setting(
        "DISCOGS_PROGRESS_SECONDS", "5", "seconds between two reports of progress", _seconds
    )
    disk_margin: int = _setting(
        "DISCOGS_DISK_MARGIN", "2GB", "disk space that a download leaves free", _bytes
    )
    late_after_days: int = _setting(
        "DISCOGS_LATE_AFTER_DAYS",
        "10",
        "days into a month after which its dump counts as late when it is not loaded",
        _whole(1, 28),
    )
    verify_attempts: int = _setting(
        "DISCOGS_VERIFY_ATTEMPTS",
        "3",
        "downloads of a file whose stored bytes do not have the published SHA-256",
        _whole(1, 20),
    )
    max_attempts: int = _setting(
        "DISCOGS_MAX_ATTEMPTS",
        "5",
        "failed runs of a month after which the schedule stops trying",
        _whole(1, 1000),
    )
    task_retries: int = _setting(
        "DISCOGS_TASK_RETRIES",
        "3",
        "tries of a task after its first, for faults that may pass",
        _whole(0, 100),
    )
    retry_delay: float = _setting(
        "DISCOGS_RETRY_DELAY",
        "60",
        "seconds before a task's second try; doubles from there",
        _seconds,
    )
    poll_seconds: float = _setting(
        "DISCOGS_POLL_SECONDS",
        "1800",
        "seconds between two looks for a dump that is not there; the server counts requests",
        _seconds,
    )
    wait_seconds: float = _setting(
        "DISCOGS_WAIT_SECONDS",
        "72000",
        "seconds that a run waits for its dump; below a day, so that the next day's run is not held"
        " up",
        _seconds,
    )
    give_up_days: int = _setting(
        "DISCOGS_GIVE_UP_DAYS",
        "62",
        "days after the first of its month from which a missing dump is not waited for; a month"
        " that is over never is, only looked for once a day",
        _whole(1, 10000),
    )

    alerts: tuple[str, ...] = _setting(
        "DISCOGS_ALERTS",
        "",
        "what is told through the connection `discogs_alerts`: a comma list of `failure`,"
        " `retry_limit`, `success`, `late`; or `all`",
        _alerts,
        shown="none",
    )
    late_wait_seconds: float = _setting(
        "DISCOGS_LATE_WAIT_SECONDS",
        "3600",
        "seconds that a run waits for a dump that is late before the alert `late`",
        _seconds,
    )
    asset_database: str = _setting(
        "DISCOGS_ASSET_DATABASE",
        "discogs_postgres/discogs",
        "`host:port/database` in the addresses of the assets; no connection is made to it",
        _asset_database,
    )
    pool: str | None = _setting(
        "DISCOGS_POOL",
        "",
        "pool of the tasks; the first, which fails when it is missing, and `record_failure` use"
        " `default_pool`",
        _optional,
        shown="Airflow's default pool",
    )
    queue: str | None = _setting(
        "DISCOGS_QUEUE",
        "",
        "queue of all tasks, where the executor has queues",
        _optional,
        shown="Airflow's default queue",
    )
    examples: bool = _setting(
        "DISCOGS_EXAMPLES",
        "false",
        "`true` adds the example DAGs of `dags/examples/`",
        _yes,
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        :raises InvalidSetting: naming the variable, its value and what is expected.
        """
        values = {}
        for item in fields(cls):
            text = environment.get(item.metadata["name"], "").strip()
            if text:
                values[item.name] = item.metadata["parse"](item.metadata["name"], text)
        return cls(**values)

    @property
    def task_options(self) -> dict[str, str]:
        """What a task is given to run in the pool and the queue, where they are set."""
        options = {"pool": self.pool, "queue": self.queue}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def staging_schema(self) -> str:
        """The schema that holds a month's rows until they are merged."""
        return f"{self.schema}_staging"
