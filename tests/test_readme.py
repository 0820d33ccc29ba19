"""The README says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from discogs.schema.mapping import TABLES
from docs.generate import stale

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def test_the_generated_parts_of_the_documentation_are_up_to_date() -> None:
    assert stale() == [], "run `make docs`"


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
