"""Three months of synthetic dumps, and databases to load them into."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from discogs.database.connection import Connect, connector
from discogs.dumps.source import DumpSource, Limits, make_session
from discogs.dumps.storage import DumpStorage
from discogs.load.export import export_month
from discogs.load.folder import load_folder
from discogs.load.options import RunOptions
from discogs.load.run import MonthRun
from discogs.load.source import ServerSource
from discogs.load.stage import SIZES, Sizes
from discogs.sample.generator import write_months as write_plain_months
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.model import RunIdentity
from discogs.tracking.report import MonthReport
from tests.conftest import SCHEMA, new_database
from tests.sample.odd_records import write_months

FIRST = Month(2026, 5)
MONTHS = [FIRST, FIRST.plus(1), FIRST.plus(2)]

# With few records, a single one exceeds the default limits of the guards.
LENIENT = replace(Settings(), max_shrink=0.5, max_rejected=0.5, workers=2)


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    write_months(folder, FIRST, months=len(MONTHS), releases=600, seed=7)
    return folder


@pytest.fixture(scope="session")
def exported(dumps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first month, exported; not to be changed."""
    out = tmp_path_factory.mktemp("exported")
    export_month(dumps, FIRST, out, LENIENT)
    return out


@pytest.fixture
def month_folder(dumps: Path, tmp_path: Path) -> Path:
    """Copies of the first month's files, for a test to change."""
    folder = tmp_path / "month"
    folder.mkdir()
    for path in dumps.glob(f"discogs_{FIRST.first_day:%Y%m}*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def fresh(server: str, migrated_template: str) -> Iterator[Callable[[], str]]:
    """Creates migrated databases; returns a DSN for each call."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(new_database(server, template=migrated_template))


def load(dsn: str, folder: Path, month: Month, sizes: Sizes = SIZES, **changes: Any) -> MonthReport:
    """Load a month, with some settings changed."""
    connect: Connect = connector(dsn, SCHEMA)
    settings = replace(LENIENT, **changes)
    return load_folder(connect, folder, month, settings, run_id="test", sizes=sizes)


RUN = RunIdentity("a DAG", "a run")
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


def month_run(
    connect: Connect, month: Month, settings: Settings = LENIENT, **changes: Any
) -> MonthRun:
    """A run of an Airflow without other living runs; attributes and options may be changed."""
    options = RunOptions(month=month, shards=settings.shards)
    names = {field.name for field in fields(RunOptions)}
    options = replace(options, **{n: v for n, v in changes.items() if n in names})
    run = MonthRun(
        connect=connect,
        settings=settings,
        options=options,
        identity=RUN,
        since=LONG_AGO,
        is_alive=lambda _run: False,
    )
    return replace(run, **{n: v for n, v in changes.items() if n not in names})


@pytest.fixture(scope="session")
def month_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dump of the first month; not to be changed."""
    folder = tmp_path_factory.mktemp("month_dump")
    write_plain_months(folder, FIRST, releases=20, seed=3)
    return folder


@pytest.fixture
def served(month_dump: Path, tmp_path: Path) -> Path:
    """A copy of the small dump, which a mirror serves."""
    return Path(shutil.copytree(month_dump, tmp_path / "served"))


@pytest.fixture
def source(served: Path, tmp_path: Path) -> Iterator[ServerSource]:
    """A mirror of the small dump."""
    with Mirror(served) as mirror, make_session() as session:
        server = DumpSource(session, mirror.url, limits=Limits(attempts=3, backoff=0.01))
        yield ServerSource(server, DumpStorage(tmp_path / "storage"))


@pytest.fixture
def run(connect: Connect) -> MonthRun:
    """A run of the first month."""
    return month_run(connect, FIRST, replace(LENIENT, workers=1))
