"""Checks of the tables after a month's merges; each is a statement in ``include/sql/checks``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from discogs.database.connection import Connect, explain
from discogs.database.sql_files import read
from discogs.schema.entities import Month
from discogs.schema.mapping import TABLES
from discogs.settings import Settings

CHECKS = (
    "counts_add_up",
    "live_records",
    "no_orphans",
    "placeholders",
    "unresolved_main_releases",
    "removed_within_guard",
)


@dataclass(frozen=True)
class CheckResult:
    """One line of a check; ``value`` is what was counted, ``detail`` what it counts."""

    name: str
    passed: bool
    value: int
    detail: str

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "FAILED"
        return f"{self.name}: {verdict} ({self.value:,} {self.detail})"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run_checks(
    connect: Connect, month: Month, settings: Settings, *, allow_shrink: bool = False
) -> list[CheckResult]:
    """Run every check for a merged month; the caller decides what a failed one means."""
    tables = [table for tables in TABLES.values() for table in tables.all]
    # Each child refers to its root, besides the references that its fields declare.
    references = sum(len(table.references) for table in tables) + sum(
        len(tables.children) for tables in TABLES.values()
    )
    given = {
        "month": str(month),
        "schema": settings.schema,
        "tables": [table.name for table in tables],
        "references": references,
        "max_shrink": settings.max_shrink,
        "allow_shrink": allow_shrink,
    }
    results = []
    try:
        with connect() as conn:
            for name in CHECKS:
                rows = conn.execute(read(f"checks/{name}.sql"), given).fetchall()
                results += [CheckResult(*row) for row in rows]
    except psycopg.Error as error:
        raise explain(error) from error
    return results
