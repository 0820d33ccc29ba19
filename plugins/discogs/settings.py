"""The settings: environment variables, their defaults, and what they do.

The table in the README is generated from this module, so that a new setting is one field here.
Values that no user needs to change are constants in the modules that use them.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from discogs import __version__
from discogs.errors import InvalidSetting
from discogs.schema.filters import is_filter

T = TypeVar("T")

MIB = 1024 * 1024
GIB = 1024 * MIB
PREFIX = "DISCOGS_"

#: The alerts that can be sent; see :mod:`discogs.airflow.notifications`.
ALERTS = ("failure", "retry_limit", "success", "late")

#: Variables with the prefix that are not settings: of the command line, the local Airflow,
#: docker-compose.yaml and the tests.
_OTHERS = {
    "DISCOGS_DSN",
    "DISCOGS_HOME",
    "DISCOGS_DUMPS_LAYOUT",
    "DISCOGS_DUMPS_URL",
    "DISCOGS_POSTGRES_PASSWORD",
    "DISCOGS_POSTGRES_PORT",
    "DISCOGS_POSTGRES_SHARED_BUFFERS",
    "DISCOGS_SAMPLES",
    "DISCOGS_TEST_DSN",
    "DISCOGS_TEST_FAULTS",
}
_UNITS = {"": 1, "K": 1024, "M": MIB, "G": GIB, "T": 1024 * GIB}


@dataclass(frozen=True)
class _Kind(Generic[T]):
    """The values that a setting takes.

    :param parse: converts a variable's text; raises ``ValueError`` for an invalid text.
    :param allows: whether a value is valid.
    :param expected: the valid values, for the error message.
    """

    parse: Callable[[str], T]
    allows: Callable[[T], bool]
    expected: str


def _whole(low: int, high: int) -> _Kind[int]:
    return _Kind(int, lambda n: low <= n <= high, f"a whole number from {low} to {high}")


def _bytes(low: int, high: int, expected: str) -> _Kind[int]:
    def parse(text: str) -> int:
        match = re.fullmatch(r"([0-9]{1,12})\s*([KMGT]?)i?B?", text, re.IGNORECASE)
        if match is None:
            raise ValueError(text)
        return int(match[1]) * _UNITS[match[2].upper()]

    return _Kind(parse, lambda n: low <= n <= high, expected)


def _one_of(*choices: str) -> _Kind[str]:
    return _Kind(str, lambda text: text in choices, " or ".join(choices))


def _matching(pattern: str, expected: str) -> _Kind[str]:
    return _Kind(str, lambda text: re.fullmatch(pattern, text) is not None, expected)


def _alerts(text: str) -> tuple[str, ...]:
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    return ALERTS if chosen == ["all"] else tuple(chosen)


def _switch(text: str) -> bool:
    return ("off", "on").index(text.lower()) == 1


_SHARE = _Kind(float, lambda share: 0.0 <= share <= 1.0, "a share from 0 to 1, such as 0.02")
# With shorter intervals, server and triggerer would be busy with these requests alone.
_SECONDS = _Kind(
    float, lambda s: 0.1 <= s <= 30 * 86400, "a number of seconds from 0.1 to 2592000 (30 days)"
)
# 63 bytes is PostgreSQL's limit for a name; the rest is for the suffix of the staging schema.
# PostgreSQL keeps pg_ and information_schema for itself.
_IDENTIFIER = _matching(
    "(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,50}",
    "a schema name of at most 51 lower-case letters, digits and _, not reserved by PostgreSQL",
)
# No relative folders: each process may have another working directory.
_STORAGE = _matching(
    r"[/~].*|[a-z][a-z0-9+.-]+://.+",
    "a folder that starts with / or ~, or an address such as s3://connection@bucket/dumps",
)
_EXPORT = _matching(
    r"|[/~].*|[a-z][a-z0-9+.-]+://.+",
    "a folder that starts with / or ~, or an address such as s3://connection@bucket/parquet",
)
_KEEP: _Kind[int | None] = _Kind(
    lambda text: None if text == "all" else int(text),
    lambda months: months is None or 0 <= months <= 1000,
    "a number of months from 0 to 1000, or all",
)
_ALERTS: _Kind[tuple[str, ...]] = _Kind(
    _alerts,
    lambda chosen: set(chosen) <= set(ALERTS),
    f"a comma-separated list of {', '.join(ALERTS)}; or all",
)
_SCHEDULE = _matching(
    r"off|\S+( +\S+){4}", "a cron expression of five fields, such as '0 5,6 * * *', or off"
)
_USER_AGENT = _matching(
    r"[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?", "at most 200 printable ASCII characters"
)
_SWITCH: _Kind[bool] = _Kind(_switch, lambda on: isinstance(on, bool), "on or off")
_MEMORY = _bytes(MIB, 1024 * GIB, "a size from 1MB to 1TB, such as 256MB or 1GB")
_DISK = _bytes(0, 1024 * 1024 * GIB, "a number of bytes, such as 500MB or 2GB")


def _storage() -> str:
    home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
    return str(Path(home) / "discogs-dumps")


def _workers() -> int:
    """Number of processors that this process may use, at most 8."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        processors = os.cpu_count() or 1
    return max(1, min(8, processors))


def _setting(
    default: T | Callable[[], T], about: str, kind: _Kind[T], shown: str | None = None
) -> Any:
    """A field of :class:`Settings`.

    :param shown: the default as the documentation shows it, if it is not the value itself.
    """
    metadata = {"about": about, "kind": kind, "shown": str(default) if shown is None else shown}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings; :meth:`from_environment` reads them.

    :raises InvalidSetting: for an invalid value.
    """

    schema: str = _setting("discogs", "schema of all tables in the target database", _IDENTIFIER)
    shards: int = _setting(
        1, "staging tasks per entity; a record belongs to shard `id mod shards`", _whole(1, 64)
    )
    engine: str = _setting(
        "fast",
        "parser: `fast` (WebAssembly, with lxml for unusual records) or `careful` (lxml first)",
        _one_of("fast", "careful"),
    )
    workers: int = _setting(
        _workers,
        "connections per task, for parsing and COPY, and for building keys and indexes",
        _whole(1, 64),
        shown="processors, at most 8",
    )
    maintenance_memory: int = _setting(
        256 * MIB,
        "memory of PostgreSQL for each connection that builds keys, and for a merge",
        _MEMORY,
        shown="256MB",
    )
    search: bool = _setting(
        False,
        "build the search indexes of `docs/search.md` before a load: `on` or `off`",
        _SWITCH,
        shown="off",
    )
    filter: str = _setting(
        "",
        "which records to load, such as `releases:country=Germany`; see `docs/filters.md`",
        _Kind(str, is_filter, "conditions such as releases:country=Germany|Austria"),
        shown="all",
    )
    old_values: bool = _setting(
        False,
        "store the previous values of changed columns in `entity_changes`: `on` or `off`",
        _SWITCH,
        shown="off",
    )
    max_shrink: float = _setting(
        0.02,
        "refuse a dump whose number of records has decreased by more than this share",
        _SHARE,
    )
    max_rejected: float = _setting(
        0.001, "refuse a dump with more rejected records than this share", _SHARE
    )
    storage: str = _setting(
        _storage,
        "where dumps are stored: a folder, or a URL such as `s3://connection@bucket/dumps`",
        _STORAGE,
        shown="`discogs-dumps` in AIRFLOW_HOME",
    )
    export: str = _setting(
        "",
        "where the DAG also writes each month as Parquet: a folder or a URL that all workers share;"
        " see `docs/parquet.md`",
        _EXPORT,
        shown="none",
    )
    keep_months: int | None = _setting(
        1, "number of completed months whose files are kept, or `all`", _KEEP
    )
    disk_margin: int = _setting(
        2 * GIB, "disk space that a download leaves free", _DISK, shown="2GB"
    )
    schedule: str = _setting(
        "0 5,6 * * *",
        "when the DAG checks for a dump: a cron expression in UTC, or `off`; the last run of a day"
        " is for the current month, earlier runs are for the previous month",
        _SCHEDULE,
    )
    poll_seconds: float = _setting(
        1800.0,
        "seconds between two checks while a run waits for its dump; the server limits requests",
        _SECONDS,
        shown="1800",
    )
    max_attempts: int = _setting(
        5, "failed attempts after which scheduled runs no longer load a month", _whole(1, 1000)
    )
    user_agent: str = _setting(
        f"airflow-discogs/{__version__}",
        "`User-Agent` of every request; servers refuse requests without one",
        _USER_AGENT,
    )
    alerts: tuple[str, ...] = _setting(
        (),
        "alerts to send through the connection `discogs_alerts`: a comma-separated list of"
        " `failure`, `retry_limit`, `success`, `late`; or `all`",
        _ALERTS,
        shown="none",
    )
    late_after_days: int = _setting(
        10,
        "days after which a month that is not loaded counts as late",
        _whole(1, 28),
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            kind: _Kind[Any] = item.metadata["kind"]
            value = getattr(self, item.name)
            if not kind.allows(value):
                raise InvalidSetting(variable(item.name), str(value), kind.expected)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings; an empty variable counts as unset.

        :raises InvalidSetting: for an invalid value.
        """
        values = {}
        for item in fields(cls):
            name = variable(item.name)
            text = environment.get(name, "").strip()
            if not text:
                continue
            kind: _Kind[Any] = item.metadata["kind"]
            try:
                values[item.name] = kind.parse(text)
                allowed = kind.allows(values[item.name])
            except ValueError:
                allowed = False
            if not allowed:
                raise InvalidSetting(name, text, kind.expected)
        return cls(**values)

    @property
    def staging_schema(self) -> str:
        """The schema that holds a month's rows until they are merged."""
        return f"{self.schema}_staging"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def without_effect(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A warning for each variable with the prefix that is not a setting: misspelled or removed."""
    known = {variable(item.name) for item in fields(Settings)}
    lines = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or name in _OTHERS:
            continue
        close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
        meant = f" Did you mean {close[0]}?" if close else ""
        lines.append(f"{name} has no effect: there is no such setting.{meant}")
    return lines
