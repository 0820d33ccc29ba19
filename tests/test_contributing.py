"""The recipes of CONTRIBUTING.md, performed on a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from discogs.dumps.fetch import FETCH_ORDER
from discogs.load.estimate import TABLE_BYTES
from discogs.schema.entities import Entity, Month
from discogs.schema.filters import FIELDS
from discogs.schema.mapping import MAPPINGS
from tests.conftest import new_database
from tests.dump_files import write_dump

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
MONTH = Month(2026, 5)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the recipes change, and of what `make docs` reads."""
    copied = tmp_path / "tree"
    ignore = shutil.ignore_patterns("__pycache__", ".data")
    for folder in ("plugins", "include", "docs", "benchmarks", "demo", "examples"):
        shutil.copytree(ROOT / folder, copied / folder, ignore=ignore)
    shutil.copy(ROOT / "README.md", copied)
    return copied


def block(language: str, heading: str) -> str:
    """The first block of a language below a heading of CONTRIBUTING.md, without its indentation."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition(f"### {heading}\n")[2]
    match = re.search(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    assert match is not None
    return "".join(line.removeprefix(match[1]) for line in match[2].splitlines(keepends=True))


def run(tree: Path, *command: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree / 'plugins'}{os.pathsep}{tree}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_for_a_field_fills_it(tree: Path, server: str, tmp_path: Path) -> None:
    heading = "A new field of the dump"
    [name] = re.findall(
        "include/sql/migrations/([0-9]{4}_[a-z_]+.sql)", (ROOT / "CONTRIBUTING.md").read_text()
    )
    (tree / "include" / "sql" / "migrations" / name).write_text(block("sql", heading))
    mapping = tree / "plugins" / "discogs" / "schema" / "mapping.py"
    before, begin, rest = mapping.read_text().partition("LABELS = EntityMapping(")
    fields = '        _text("name",'
    assert fields in rest
    line = f"        {block('python', heading).strip()},\n"
    mapping.write_text(before + begin + rest.replace(fields, line + fields, 1))
    folder = tmp_path / "dumps"
    folder.mkdir()
    records = [
        f"<label><id>{n}</id><name>L</name><founded>{1990 + n}</founded></label>" for n in (1, 2)
    ]
    write_dump(folder, MONTH, Entity.LABELS, *records)

    assert "written: docs/tables.md" in run(tree, "-m", "docs.generate")
    assert (
        "| `founded` | smallint | `founded` | the year in which it began |"
        in (tree / "docs" / "tables.md").read_text()
    )
    with new_database(server) as dsn:
        run(tree, "-m", "discogs", "load", folder, "--month", str(MONTH), "--dsn", dsn)
        with psycopg.connect(dsn) as conn:
            rows = conn.execute("SELECT id, founded FROM discogs.labels ORDER BY 1").fetchall()
            [about] = conn.execute(
                "SELECT col_description('discogs.labels'::regclass, attnum) FROM pg_attribute"
                " WHERE attrelid = 'discogs.labels'::regclass AND attname = 'founded'"
            ).fetchall()
    assert rows == [(1, 1991), (2, 1992)]
    assert "the year in which it began" in about[0]


def test_what_the_recipe_for_an_entity_lists_has_every_entity() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for name, listed in (
        ("FETCH_ORDER", FETCH_ORDER),
        ("TABLE_BYTES", TABLE_BYTES),
        ("FIELDS", FIELDS),
        ("MAPPINGS", MAPPINGS),
    ):
        assert f"`{name}`" in text
        assert set(listed) == set(Entity), name
