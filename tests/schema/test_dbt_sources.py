"""The sources for dbt: their tables exist, their tests pass, and dbt can read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import sql

from discogs.database.connection import Connect
from discogs.schema.entities import Month
from tests.conftest import PROJECT
from tests.load.conftest import load
from tests.sample.odd_records import write_months

pytestmark = pytest.mark.slow

FILE = PROJECT / "examples" / "dbt" / "discogs_sources.yml"


@pytest.fixture
def tables() -> list[dict[str, Any]]:
    (source,) = yaml.safe_load(FILE.read_text())["sources"]
    found: list[dict[str, Any]] = source["tables"]
    return found


def test_the_tests_and_the_freshness_hold_after_a_load(
    tables: list[dict[str, Any]], connect: Connect, database: str, tmp_path: Path
) -> None:
    month = Month(2026, 5)
    write_months(tmp_path, month, releases=100, seed=7)
    load(database, tmp_path, month)
    with connect() as conn:
        for table in tables:
            name = sql.Identifier(table.get("identifier", table["name"]))
            if "config" in table:
                query = sql.SQL(
                    "SELECT max({}) > now() - interval '1 day' FROM {} WHERE {}"
                ).format(
                    sql.Identifier(table["config"]["loaded_at_field"]),
                    name,
                    sql.SQL(table["config"]["freshness"]["filter"]),
                )
                assert conn.execute(query).fetchone() == (True,)
            for column in table.get("columns", ()):
                field = sql.Identifier(column["name"])
                conn.execute(sql.SQL("SELECT {} FROM {} LIMIT 1").format(field, name))
                for test in column.get("data_tests", ()):
                    failing = conn.execute(_failing(test, name, field)).fetchone()
                    assert failing == (0,), (table["name"], column["name"], test)


def _failing(test: Any, table: sql.Identifier, column: sql.Identifier) -> sql.Composed:
    """How many rows fail a test of dbt."""
    if test == "not_null":
        query, more = "SELECT count(*) FROM {t} WHERE {c} IS NULL", {}
    elif test == "unique":
        query, more = "SELECT count(*) - count(DISTINCT {c}) FROM {t}", {}
    elif "relationships" in test:
        given = test["relationships"]["arguments"]
        query = (
            "SELECT count(*) FROM {t} a LEFT JOIN {to} b ON b.{field} = a.{c}"
            " WHERE a.{c} IS NOT NULL AND b.{field} IS NULL"
        )
        more = {
            "to": sql.Identifier(given["to"].split("'")[3]),
            "field": sql.Identifier(given["field"]),
        }
    else:
        values = test["accepted_values"]["arguments"]["values"]
        query = "SELECT count(*) FROM {t} WHERE {c} <> ALL ({values})"
        more = {"values": sql.Literal(values)}
    return sql.SQL(query).format(t=table, c=column, **more)


def test_dbt_reads_them(tmp_path: Path) -> None:
    dbt = shutil.which("dbt")
    if dbt is None:
        pytest.skip("dbt-core with dbt-postgres is not installed")
    (tmp_path / "models").mkdir()
    shutil.copy(FILE, tmp_path / "models")
    (tmp_path / "dbt_project.yml").write_text('name: t\nversion: "1.0"\nprofile: t\n')
    (tmp_path / "profiles.yml").write_text(
        "t:\n  target: dev\n  outputs:\n    dev: {type: postgres, host: localhost, user: u,"
        " password: p, port: 5432, dbname: d, schema: public}\n"
    )
    done = subprocess.run(
        [dbt, "parse", "--profiles-dir", ".", "--warn-error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
