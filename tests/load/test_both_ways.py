"""The command with a folder, and the steps one by one with a server, leave the same database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from discogs.database.connection import connector
from discogs.dumps.source import DumpSource, make_session
from discogs.dumps.storage import DumpStorage
from discogs.load.options import PlannedFile
from discogs.load.run import MonthRun
from discogs.load.source import ServerSource
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from discogs.settings import Settings
from tests.conftest import PROJECT, SCHEMA
from tests.content import TRACKING
from tests.load.conftest import month_run
from tests.load.killed.killing import write_dumps

pytestmark = pytest.mark.slow

MONTHS = [Month(2026, 5), Month(2026, 6)]
SETTINGS = replace(Settings(), shards=2)

#: Columns and JSON keys that say which run loaded the month, from where and when.
LEFT_OUT = {
    "started_at",
    "id",
    "dag_id",
    "run_id",
    "url",
    "seconds",
    "download_seconds",
    "processing_seconds",
    "stage_seconds",
    "merge_seconds",
    "records_per_second",
    "validated_at",
}


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    write_dumps(folder, MONTHS[0], releases=300)
    return folder


@pytest.fixture
def source(dumps: Path, tmp_path: Path) -> Iterator[ServerSource]:
    with Mirror(dumps) as mirror, make_session() as session:
        server = DumpSource(session, mirror.url)
        yield ServerSource(server, DumpStorage(tmp_path / "storage"))


def command(dsn: str, folder: Path, month: Month, report: Path) -> dict[str, Any]:
    """Load a month with the command; returns its report."""
    arguments = ["load", folder, "--month", month, "--report", report, "--shards", 2]
    result = subprocess.run(
        [sys.executable, "-m", "discogs", *map(str, arguments)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "plugins", "DISCOGS_DSN": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    read: dict[str, Any] = json.loads(report.read_text())
    return read


def step_by_step(dsn: str, source: ServerSource, month: Month) -> dict[str, Any]:
    """Load a month as Airflow's tasks do, each step in its own process; returns the report."""

    def run() -> MonthRun:
        return month_run(connector(dsn, SCHEMA), month, SETTINGS)

    def handed_over(planned: list[PlannedFile]) -> list[PlannedFile]:
        values = json.loads(json.dumps([file.as_dict() for file in planned]))
        return [PlannedFile.from_dict(value) for value in values]

    assert run().pending(source).pending
    run().claim()
    planned = handed_over(run().plan(source))
    for file in planned:
        run().fetch(source, file)
    for file in planned:
        run().verify(source, file)
    run().ready(planned)
    assert run().take_turn() is None
    for file in reversed(planned):
        for shard in (1, 0):
            run().stage(source.storage, file, shard)
    run().check_staged(planned)
    for file in planned:
        run().merge(source.storage, file)
    run().check()
    report: dict[str, Any] = json.loads(json.dumps(run().complete().as_dict()))
    run().discard_staging()
    return report


def without(value: object, *, but: set[str]) -> object:
    if isinstance(value, dict):
        return {key: without(each, but=but) for key, each in value.items() if key not in but}
    return [without(each, but=but) for each in value] if isinstance(value, list) else value


def tables(dsn: str) -> dict[str, list[str]]:
    """The rows of every table of the schema, as text, in order."""
    with psycopg.connect(dsn, row_factory=dict_row) as conn:
        columns: dict[str, list[str]] = {}
        for row in conn.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE table_schema = %s AND table_type = 'BASE TABLE'"
            " ORDER BY table_name, ordinal_position",
            [SCHEMA],
        ).fetchall():
            names = columns.setdefault(row["table_name"], [])
            who = row["table_name"] in TRACKING and row["column_name"] in LEFT_OUT
            if not who and row["data_type"] != "timestamp with time zone":
                names.append(row["column_name"])
        found = {}
        for table, names in columns.items():
            statement = sql.SQL("SELECT {} FROM {}").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(SCHEMA, table)
            )
            rows = conn.execute(statement).fetchall()
            found[table] = sorted(repr(without(dict(row), but=LEFT_OUT)) for row in rows)
        return found


def schema(value: object) -> object:
    """A report's keys, and the types of its values."""
    if isinstance(value, dict):
        return {key: schema(each) for key, each in value.items()}
    if isinstance(value, list):
        return [schema(each) for each in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_a_month_loaded_either_way_gives_the_same_tables_and_report(
    fresh: Callable[[], str], dumps: Path, source: ServerSource, tmp_path: Path
) -> None:
    by_command, by_steps = fresh(), fresh()
    for month in MONTHS:
        one = command(by_command, dumps, month, tmp_path / "report.json")
        other = step_by_step(by_steps, source, month)

        assert schema(one) == schema(other)
        times = {name for name in one if name.endswith("_at")}
        assert without(one, but=LEFT_OUT | times | {"started_at", "completed_at"}) == without(
            other, but=LEFT_OUT | times | {"started_at", "completed_at"}
        )

        left, right = tables(by_command), tables(by_steps)
        assert left.keys() == right.keys()
        assert [name for name in left if left[name] != right[name]] == []
    assert len(left["discogs_data_processing"]) == 2
    assert len(left["discogs_data_processing_files"]) == 8
    assert len(left["rejected_records"]) == 2
    assert left["staged_shards"] == []
