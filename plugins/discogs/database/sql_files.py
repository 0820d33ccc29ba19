"""The SQL statements in ``include/sql``; its README describes them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from psycopg import sql

from discogs.errors import PackageIncomplete


def folder() -> Path:
    """The folder of the statements: ``include/sql`` beside ``plugins/``, or ``discogs/sql`` of an
    installed wheel."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parents[1] / "include" / "sql"


@cache
def read(name: str) -> str:
    """The text of a file, such as ``locks/table_holders.sql``.

    :raises PackageIncomplete: when it is not there.
    """
    path = folder() / name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PackageIncomplete(path) from None


def compose(name: str, **parts: sql.Composable) -> sql.Composed:
    """Replace the ``{names}`` of a template: ``merge/classify`` is the file
    ``merge/classify.template.sql``."""
    return sql.SQL(read(f"{name}.template.sql")).format(**parts)
