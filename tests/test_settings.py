"""The settings: accepted values, and errors for others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from discogs.errors import InvalidSetting
from discogs.settings import ALERTS, GIB, MIB, Settings, without_effect


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"DISCOGS_SHARDS": "  "}).shards == 1


def test_each_kind_of_value_is_read() -> None:
    settings = Settings.from_environment(
        {
            "DISCOGS_SCHEMA": "music",
            "DISCOGS_SHARDS": " 4 ",
            "DISCOGS_ENGINE": "careful",
            "DISCOGS_MAINTENANCE_MEMORY": "1GB",
            "DISCOGS_MAX_SHRINK": "0.5",
            "DISCOGS_STORAGE": "s3://bucket/dumps",
            "DISCOGS_KEEP_MONTHS": "all",
            "DISCOGS_DISK_MARGIN": "500 MiB",
            "DISCOGS_SCHEDULE": "off",
            "DISCOGS_POLL_SECONDS": "2.5",
            "DISCOGS_ALERTS": "late, failure",
            "DISCOGS_SEARCH": "on",
        }
    )
    assert settings.schema == "music"
    assert settings.staging_schema == "music_staging"
    assert settings.shards == 4
    assert settings.engine == "careful"
    assert settings.maintenance_memory == GIB
    assert settings.max_shrink == 0.5
    assert settings.storage == "s3://bucket/dumps"
    assert settings.keep_months is None
    assert settings.disk_margin == 500 * MIB
    assert settings.schedule == "off"
    assert settings.search is True
    assert settings.poll_seconds == 2.5
    assert settings.alerts == ("late", "failure")
    assert Settings.from_environment({"DISCOGS_ALERTS": "all"}).alerts == ALERTS


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("SCHEMA", "Discogs", "lower-case"),
        ("SCHEMA", "pg_discogs", "reserved by PostgreSQL"),
        ("SCHEMA", "information_schema", "reserved by PostgreSQL"),
        ("STORAGE", "dumps", "starts with / or ~"),
        ("STORAGE", "s3://", "an address"),
        ("EXPORT", "parquet", "starts with / or ~"),
        ("SHARDS", "0", "from 1 to 64"),
        ("SHARDS", "four", "from 1 to 64"),
        ("ENGINE", "quick", "fast or careful"),
        ("WORKERS", "65", "from 1 to 64"),
        ("MAINTENANCE_MEMORY", "5", "from 1MB to 1TB"),
        ("MAINTENANCE_MEMORY", "much", "such as 256MB"),
        ("SEARCH", "yes", "on or off"),
        ("FILTER", "country=US", "releases:country=Germany"),
        ("MAX_SHRINK", "2", "from 0 to 1"),
        ("MAX_REJECTED", "nan", "from 0 to 1"),
        ("KEEP_MONTHS", "-1", "or all"),
        ("DISK_MARGIN", "-1", "number of bytes"),
        ("SCHEDULE", "daily", "cron"),
        ("POLL_SECONDS", "0", "from 0.1"),
        ("POLL_SECONDS", "0.001", "from 0.1"),
        ("POLL_SECONDS", "inf", "30 days"),
        ("MAX_ATTEMPTS", "0", "from 1"),
        ("USER_AGENT", "ein Gerät", "ASCII"),
        ("ALERTS", "late,never", "comma-separated"),
        ("LATE_AFTER_DAYS", "29", "from 1 to 28"),
    ],
)
def test_an_invalid_value_of_a_setting_is_named(name: str, text: str, expected: str) -> None:
    variable = f"DISCOGS_{name}"
    with pytest.raises(InvalidSetting, match=expected) as caught:
        Settings.from_environment({variable: text})
    assert variable in str(caught.value)
    assert repr(text) in str(caught.value)


def test_values_given_in_code_are_checked_as_well() -> None:
    with pytest.raises(InvalidSetting, match="DISCOGS_SHARDS is '1000000'"):
        replace(Settings(), shards=10**6)


def test_a_misspelled_or_removed_variable_is_named() -> None:
    environment = {
        "DISCOGS_SHARD": "4",
        "DISCOGS_SHARDS": "4",
        "DISCOGS_GIVE_UP_DAYS": "9",
        "DISCOGS_DSN": "postgresql://…",
        "HOME": "/root",
    }
    assert without_effect(environment) == [
        "DISCOGS_GIVE_UP_DAYS has no effect: there is no such setting.",
        "DISCOGS_SHARD has no effect: there is no such setting. Did you mean DISCOGS_SHARDS?",
    ]
