"""Checks of the tables after a month's merges; each is a statement in ``include/sql/checks``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from discogs.database.connection import Connect, Connection, explain
from discogs.database.errors import DatabaseError
from discogs.database.sql_files import folder as sql_folder
from discogs.schema.entities import Month
from discogs.schema.mapping import TABLES
from discogs.settings import Settings


@dataclass(frozen=True)
class CheckResult:
    """One row that a check returned; ``value`` is a count, ``detail`` says of what."""

    name: str
    passed: bool
    value: int
    detail: str

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "FAILED"
        return f"{self.name}: {verdict} ({self.value:,} {self.detail})"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_COLUMNS = tuple(field.name for field in fields(CheckResult))
_CONTRACT = (
    f"A check returns {', '.join(_COLUMNS)}; include/sql/checks/README.md says what it may use."
)


def run_checks(
    connect: Connect,
    month: Month,
    settings: Settings,
    *,
    allow_shrink: bool = False,
    folder: Path | None = None,
) -> list[CheckResult]:
    """Run all checks of a merged month. A check that fails is a result, not an error.

    :param folder: the checks; ``include/sql/checks`` by default.
    :raises DatabaseError: naming a check that cannot be run, or that does not return what
        ``include/sql/checks/README.md`` requires.
    """
    results = []
    with connect() as conn:
        for path in sorted((folder or sql_folder() / "checks").glob("*.sql")):
            for given, root in _calls(path, _parameters(month, settings, allow_shrink)):
                results += _run(conn, path, given, root)
    return results


def _parameters(month: Month, settings: Settings, allow_shrink: bool) -> dict[str, Any]:
    tables = [table for entity in TABLES.values() for table in entity.all]
    # Each child table has a foreign key to its root, besides those that its fields declare.
    own = sum(len(entity.children) for entity in TABLES.values())
    return {
        "month": str(month),
        "schema": settings.schema,
        "tables": [table.name for table in tables],
        "foreign_keys": own + sum(len(table.references) for table in tables),
        "max_shrink": settings.max_shrink,
        "allow_shrink": allow_shrink,
    }


def _calls(path: Path, given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The parameters of each run of a check; a template is run for each entity's root table."""
    if not path.name.endswith(".template.sql"):
        yield given, None
        return
    referenced = {c.references for e in TABLES.values() for t in e.all for c in t.references}
    for entity, tables in TABLES.items():
        name = str(entity)
        yield {**given, "entity": name, "referenced": name in referenced}, tables.root.name


def _run(
    conn: Connection, path: Path, given: dict[str, Any], root: str | None
) -> list[CheckResult]:
    text = path.read_text(encoding="utf-8")
    try:
        query = sql.SQL(text).format(root=sql.Identifier(root)) if root else sql.SQL(text)
        cursor = conn.execute(query, given)
    except psycopg.OperationalError as error:
        raise explain(error) from error
    except (psycopg.Error, KeyError) as error:
        why = str(error).partition("\n")[0]  # without the excerpt of the statement
        raise DatabaseError(f"The check {path.name} cannot be run: {why}. {_CONTRACT}") from error
    columns = tuple(column.name for column in cursor.description or ())
    if columns != _COLUMNS:
        returned = ", ".join(columns) or "no columns"
        raise DatabaseError(f"The check {path.name} returns {returned}. {_CONTRACT}")
    results = [CheckResult(*row) for row in cursor]
    for each in results:
        if not (isinstance(each.passed, bool) and isinstance(each.value, int)):
            raise DatabaseError(
                f"The check {path.name} returns passed = {each.passed!r}, value = {each.value!r}"
                f" for {each.name!r}. {_CONTRACT}"
            )
    return results
