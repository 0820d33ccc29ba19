"""Checks are found in their folder, and must return the documented columns."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.database.errors import DatabaseError
from discogs.database.sql_files import folder as sql_folder
from discogs.load.checks import CheckResult, run_checks
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings

MONTH = Month(2026, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(sql_folder() / "checks", tmp_path / "checks"))


def run(connect: Connect, folder: Path) -> list[CheckResult]:
    return run_checks(connect, MONTH, Settings(), folder=folder)


def test_the_packages_own_checks_run_by_their_folder(connect: Connect) -> None:
    results = run_checks(connect, MONTH, Settings())

    assert [(result.name, result.passed) for result in results] == [
        ("foreign_keys_validated", True),
        ("placeholders: labels", True),
        ("placeholders: artists", True),
        ("placeholders: masters", True),
        ("unresolved_main_releases", True),
    ]


def test_a_file_in_the_folder_is_a_check(connect: Connect, folder: Path) -> None:
    (folder / "no_untitled_releases.sql").write_text(
        "SELECT 'no_untitled_releases' AS name, count(*) = 0 AS passed, count(*) AS value,\n"
        "    'releases without a title in ' || %(month)s AS detail\n"
        "FROM releases WHERE title IS NULL AND NOT placeholder"
    )
    assert CheckResult(
        "no_untitled_releases", True, 0, f"releases without a title in {MONTH}"
    ) in run(connect, folder)


def test_a_template_is_run_for_each_entity(connect: Connect, folder: Path) -> None:
    for path in folder.glob("*.sql"):
        path.unlink()
    (folder / "rows.template.sql").write_text(
        "SELECT 'rows: ' || %(entity)s AS name, true AS passed, count(*) AS value,"
        " 'rows' AS detail FROM {root}"
    )
    with connect() as conn:
        conn.execute("INSERT INTO masters (id) VALUES (1), (2)")
    results = run(connect, folder)
    assert [result.name for result in results] == [f"rows: {entity}" for entity in Entity]
    assert {result.name: result.value for result in results}["rows: masters"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 'mine' AS name, true AS ok", "returns name, ok. A check returns name, passed"),
        ("SET LOCAL jit TO off", "returns no columns. A check returns"),
        (
            "SELECT 'mine' AS name, NULL::bool AS passed, 1 AS value, '' AS detail",
            "passed = None, value = 1 for 'mine'",
        ),
        ("SELECT * FROM nothing WHERE x = %(year)s", "query parameter missing: year"),
        ("SELECT * FROM nothing", 'relation "nothing" does not exist'),
    ],
)
def test_a_check_with_a_wrong_result_is_named(
    connect: Connect, folder: Path, text: str, message: str
) -> None:
    (folder / "mine.sql").write_text(text)
    with pytest.raises(DatabaseError, match=r"The check mine\.sql .*README\.md") as caught:
        run(connect, folder)
    assert message in str(caught.value)
