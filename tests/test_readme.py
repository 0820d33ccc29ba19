"""The README says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from benchmarks.readme import section
from discogs.schema.mapping import TABLES
from discogs.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def settings_table() -> str:
    """The table between the README's marks; copy it there when a setting changes."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for field in fields(Settings):
        shown = str(field.metadata["shown"]).replace("`", "")
        default = f"`{shown}`" if shown and " " not in shown else shown
        rows.append(f"| `{variable(field.name)}` | {default} | {field.metadata['about']} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_the_settings() -> None:
    found = re.search(
        r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README.read_text(), re.DOTALL
    )
    assert found is not None
    assert found[1] == settings_table()


def test_the_figures_of_speed_are_those_that_were_measured() -> None:
    """``python -m benchmarks.readme`` prints what belongs there."""
    found = re.search(
        r"<!-- benchmark -->\n(.*?)\n<!-- /benchmark -->", README.read_text(), re.DOTALL
    )
    assert found is not None
    assert found[1] == section()


def test_every_table_of_the_catalogue_is_named() -> None:
    text = README.read_text()
    missing = [
        t.name for tables in TABLES.values() for t in tables.all if f"`{t.name}`" not in text
    ]
    assert missing == []


def test_every_metric_is_listed() -> None:
    """The names as the code has them, against those of the table."""
    code = (ROOT / "plugins" / "discogs" / "airflow" / "metrics.py").read_text()
    used = set(re.findall(r'"(?:discogs\.[a-z]+|\{name\})\.([a-z_]+)"', code))
    for name in re.findall(r"^_[A-Z]+ = \((.*?)\)", code, re.MULTILINE | re.DOTALL):
        used |= set(re.findall(r'"([a-z_]+)"', name))
    for name in re.findall(r"for part in \((.*?)\)", code):
        used |= set(re.findall(r'"([a-z_]+)"', name))
    found = re.search(r"<!-- metrics -->\n(.*?)\n<!-- /metrics -->", README.read_text(), re.DOTALL)
    assert found is not None
    listed = set(re.findall(r"`[a-zA-Z.]*\.([a-z_]+)`", found[1]))
    listed -= {"DISCOGS_STORAGE"}

    assert listed == used
