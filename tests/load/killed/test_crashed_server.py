"""A crash of the server empties unlogged tables: the loss of staged rows is detected."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from demo import embedded
from discogs.database.connection import Connect, connector
from discogs.database.migrations import migrate
from discogs.load.errors import StagingStale
from discogs.load.merge import merge
from discogs.load.source import FolderSource
from discogs.load.stage import stage
from discogs.schema.entities import Entity, Month
from tests.conftest import SCHEMA
from tests.content import dump_file
from tests.load.conftest import LENIENT, month_run
from tests.load.killed.gate import Gate, Point
from tests.load.killed.killing import (
    FIRST,
    SECOND,
    Load,
    Prepared,
    cases,
    load,
    outcome,
)
from tests.load.runs import fetch

pytestmark = pytest.mark.slow

STAGED = r"discogs_staging\."
CRASHES = [
    (FIRST, Point("rows half sent", rf"^DATA COPY {STAGED}release_credits", when="sent")),
    (FIRST, Point("rows committed", rf"^COMMIT after COPY {STAGED}release", when="answered")),
    (FIRST, Point("shard complete", r"^COMMIT after INSERT INTO staged_shards", 2, "answered")),
    (FIRST, Point("index done", rf"^COMMIT after CREATE .*INDEX .* ON {STAGED}artist", 3, "sent")),
    (
        FIRST,
        Point("references committed", r"^COMMIT after ALTER TABLE .* NOT VALID", 2, "answered"),
    ),
    (FIRST, Point("tables moved", r"^ALTER TABLE .* SET SCHEMA discogs", 9)),
    (
        FIRST,
        Point("commit sent", rf"^COMMIT after DROP TABLE IF EXISTS {STAGED}artists", 1, "sent"),
    ),
    (SECOND, Point("rows committed", rf"^COMMIT after COPY {STAGED}release", when="answered")),
    (SECOND, Point("shard complete", r"^COMMIT after INSERT INTO staged_shards", 4, "answered")),
    (SECOND, Point("releases written", r"^INSERT INTO discogs\.releases \(id, status")),
    (SECOND, Point("changes logged", r"^WITH differing", 2, "answered")),
    (SECOND, Point("commit", rf"^COMMIT after DROP TABLE IF EXISTS {STAGED}labels", 1, "sent")),
    (
        SECOND,
        Point("commit done", rf"^COMMIT after DROP TABLE IF EXISTS {STAGED}masters", 1, "answered"),
    ),
]
QUICK = {"2026-06 changes logged"}


class Server:
    """A PostgreSQL with its own settings, fsync and all."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.dsn = embedded.start(data)

    def crash(self) -> None:
        """SIGKILL to every process, as when the machine is out of memory or loses power."""
        postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        children = postmaster.children(recursive=True)
        for process in (postmaster, *children):
            process.kill()
        psutil.wait_procs([postmaster, *children], timeout=30)

    def restart(self) -> None:
        assert embedded.find(self.data) is None
        embedded.start(self.data)


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    home = Path(tempfile.mkdtemp(prefix="discogs-pg-", dir="/tmp"))
    home.chmod(0o755)
    try:
        yield Server(home / "data")
    finally:
        embedded.stop(home / "data")
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def templates(own: Server, prepared: Prepared) -> dict[Month, str]:
    """Databases in the state before each month's load."""
    migrate(connector(embedded.ensure_database(own.dsn, "before_first"), SCHEMA), SCHEMA)
    loaded = embedded.ensure_database(own.dsn, "before_second")
    load(loaded, prepared.folder, FIRST)
    return {FIRST: "before_first", SECOND: "before_second"}


@pytest.fixture
def start(own: Server, templates: dict[Month, str]) -> Iterator[Callable[[Month], str]]:
    with ExitStack() as stack:

        def run(query: str) -> None:
            with psycopg.connect(own.dsn, autocommit=True) as conn:
                conn.execute(query)

        def make(month: Month) -> str:
            run(f"CREATE DATABASE crashed TEMPLATE {templates[month]}")
            stack.callback(run, "DROP DATABASE crashed WITH (FORCE)")
            return embedded.with_database(own.dsn, "crashed")

        yield make


def stage_all(connect: Connect, folder: Path, month: Month) -> None:
    for entity in Entity:
        path = dump_file(folder, str(entity), str(month))
        for shard in range(2):
            with path.open("rb") as packed:
                stage(
                    connect,
                    packed,
                    name=path.name,
                    entity=entity,
                    month=month,
                    settings=LENIENT,
                    shard=shard,
                    shards=2,
                )


@pytest.mark.parametrize("month", [FIRST, SECOND], ids=str)
def test_an_entity_whose_staged_rows_a_crash_has_lost_is_not_merged(
    own: Server, start: Callable[[Month], str], prepared: Prepared, month: Month
) -> None:
    dsn = start(month)
    connect = connector(dsn, SCHEMA)
    stage_all(connect, prepared.folder, month)
    own.crash()
    own.restart()
    settings = replace(LENIENT, shards=2)
    for entity in Entity:
        with pytest.raises(StagingStale, match=r"the rows of shard 1, 2 are lost"):
            merge(connect, entity=entity, month=month, settings=settings)
    run, source = month_run(connect, month, settings), FolderSource(prepared.folder)
    planned = fetch(run, source)
    for file in planned:
        run.merge(source.storage, file)
    found, expected = outcome(dsn), prepared.outcomes[month]
    del found["months"]  # the month was not completed
    assert found == {name: value for name, value in expected.items() if name != "months"}


@pytest.mark.parametrize(
    ("month", "point"),
    cases(CRASHES, lambda month, point: f"{month} {point}" in QUICK),
)
def test_a_load_whose_server_crashes_is_completed_by_the_next(
    own: Server, start: Callable[[Month], str], prepared: Prepared, month: Month, point: Point
) -> None:
    dsn = start(month)

    def crash() -> bool:
        own.crash()
        return False

    with (
        Gate(dsn, point, crash) as gate,
        Load(gate.dsn, prepared.folder, month) as command,
    ):
        code, said = command.end()
        assert gate.reached.is_set(), f"never came to {point.statement}: {said}"
    own.restart()
    assert code == 1
    assert "Traceback" not in said
    load(dsn, prepared.folder, month)
    assert outcome(dsn) == prepared.outcomes[month]
