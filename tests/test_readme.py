"""The README says what the code does."""

from __future__ import annotations

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
