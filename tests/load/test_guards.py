"""Guards: a dump that is probably broken changes nothing, whichever file is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from discogs.database.connection import connector
from discogs.load.errors import DumpRefused, NotStaged
from discogs.load.folder import load_folder
from discogs.load.options import PlannedFile
from discogs.load.run import MonthRun
from discogs.load.source import FolderSource
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from tests.conftest import SCHEMA, new_database
from tests.content import digests
from tests.dump_files import write_dump
from tests.load.conftest import month_run
from tests.load.runs import fetch

MAY, JUNE = Month(2026, 5), Month(2026, 6)
SETTINGS = replace(Settings(), workers=1)

LABELS = [f"<label><id>{n}</id><name>Label {n}</name></label>" for n in range(1, 9)]
ARTISTS = [f"<artist><id>{n}</id><name>Artist {n}</name></artist>" for n in range(1, 9)]
MORE = "<label><id>{}</id><name>New</name></label>"
BROKEN = "<artist><id>{}</id><name>A</name><oops></artist>"


@pytest.fixture(scope="module")
def may(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which May is loaded, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("may")
    with new_database(server) as dsn:
        load(dsn, folder, MAY, LABELS, ARTISTS)
        yield dsn


def load(
    dsn: str,
    folder: Path,
    month: Month,
    labels: list[str],
    artists: list[str],
    *,
    allow_shrink: bool = False,
) -> None:
    write_dump(folder, month, Entity.LABELS, *labels)
    write_dump(folder, month, Entity.ARTISTS, *artists)
    load_folder(
        connector(dsn, SCHEMA), folder, month, SETTINGS, run_id="test", allow_shrink=allow_shrink
    )


@pytest.mark.parametrize(
    ("labels", "artists", "said"),
    [
        (
            [*LABELS, MORE.format(9)],
            ARTISTS[:4],
            "artists has 4 records, 4 fewer than 2026-05, more than 2%",
        ),
        ([*LABELS, MORE.format(9)], [], "artists has 0 records, 8 fewer than 2026-05"),
        (
            [*LABELS, MORE.format(9)],
            [*ARTISTS, BROKEN.format(9), BROKEN.format(10)],
            "artists has 2 rejected records of 10, more than 0.10%",
        ),
        (LABELS[:2], ARTISTS[:2], "more than 2% (DISCOGS_MAX_SHRINK); artists has 2 records"),
    ],
    ids=["half", "empty", "rejected", "both"],
)
def test_nothing_is_merged_when_a_guard_of_any_entity_does_not_hold(
    may: str, tmp_path: Path, labels: list[str], artists: list[str], said: str
) -> None:
    before = digests(may)

    with pytest.raises(DumpRefused) as refused:
        load(may, tmp_path, JUNE, labels, artists)

    assert said in str(refused.value)
    assert digests(may) == before
    with connector(may, SCHEMA)() as conn:
        merged = conn.execute("SELECT DISTINCT year_month FROM entity_loads").fetchall()
        changes = conn.execute("SELECT count(*) FROM entity_changes").fetchone()
    assert (merged, changes) == ([(str(MAY),)], (0,))


def test_rejected_records_can_be_queried(may: str, tmp_path: Path) -> None:
    with pytest.raises(DumpRefused, match="rejected_records"):
        load(may, tmp_path, JUNE, LABELS, [*ARTISTS, BROKEN.format(9), BROKEN.format(10)])
    with connector(may, SCHEMA)() as conn:
        rows = conn.execute(
            "SELECT record_id FROM rejected_records WHERE year_month = %s ORDER BY record_id",
            [str(JUNE)],
        ).fetchall()
    assert rows == [(9,), (10,)]


def test_a_first_month_without_records_is_refused(database: str, tmp_path: Path) -> None:
    with pytest.raises(DumpRefused, match="labels has no records at all"):
        load(database, tmp_path, MAY, [], ARTISTS)
    assert {rows for rows, _ in digests(database).values()} == {0}

    load(database, tmp_path, MAY, [], ARTISTS, allow_shrink=True)
    assert digests(database)["artists"][0] == 8


def test_shrinking_can_be_allowed(database: str, tmp_path: Path) -> None:
    load(database, tmp_path, MAY, LABELS, ARTISTS)
    load(database, tmp_path, JUNE, LABELS[:2], ARTISTS[:2], allow_shrink=True)
    with connector(database, SCHEMA)() as conn:
        live = conn.execute("SELECT count(*) FROM labels WHERE removed_in IS NULL").fetchone()
    assert live == (2,)


@pytest.fixture
def staged(
    fresh: Callable[[], str], tmp_path: Path
) -> tuple[MonthRun, FolderSource, list[PlannedFile]]:
    """A run that has staged the labels of its month, but not the artists."""
    write_dump(tmp_path, MAY, Entity.LABELS, *LABELS)
    write_dump(tmp_path, MAY, Entity.ARTISTS, *ARTISTS)
    source = FolderSource(tmp_path)
    entities = (Entity.LABELS, Entity.ARTISTS)
    run = month_run(connector(fresh(), SCHEMA), MAY, SETTINGS, entities=entities)
    planned = fetch(run, source)
    run.stage(source.storage, planned[0], 0)
    return run, source, planned


def test_an_entity_that_is_not_staged_is_no_reason_to_merge_the_others(
    staged: tuple[MonthRun, FolderSource, list[PlannedFile]],
) -> None:
    run, _, planned = staged
    with pytest.raises(NotStaged, match=r"artists of 2026-05 cannot be merged: shard 1 of 1"):
        run.check_staged(planned)


def test_an_entity_that_is_merged_already_is_left_out(
    staged: tuple[MonthRun, FolderSource, list[PlannedFile]],
) -> None:
    run, source, planned = staged
    run.merge(source.storage, planned[0])
    run.stage(source.storage, planned[1], 0)
    run.check_staged(planned)
