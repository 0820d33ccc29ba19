"""Exports for tests, and queries of their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from discogs.load.export import export_month
from discogs.load.manifest import ExportReport
from discogs.schema.entities import Month
from tests.load.conftest import FIRST, LENIENT

OPTIONS = {"entities", "overwrite", "allow_shrink", "sizes"}


def export(folder: Path, out: Path | str, month: Month = FIRST, **given: Any) -> ExportReport:
    options = {name: given.pop(name) for name in list(given) if name in OPTIONS}
    return export_month(folder, month, out, replace(LENIENT, **given), **options)


OPTIONS = {"entities", "overwrite", "allow_shrink", "sizes"}


def query(text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as conn:
        return conn.execute(text).fetchall()


def files(out: Path, table: str, month: Month = FIRST) -> str:
    """The files of a table's month, for a query."""
    return f"read_parquet('{out}/{table}/dump_month={month}/*.parquet')"


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the manifests, which say when they were written."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }


def manifest(out: Path, month: Month = FIRST) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "_manifest" / f"{month}.json").read_text())
    return found
