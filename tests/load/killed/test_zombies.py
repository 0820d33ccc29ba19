"""A load that was considered dead and continues: nothing is loaded twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from discogs.database.connection import Connect
from discogs.database.errors import StagingTaken
from discogs.load.stage import staging_of
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from tests.load.killed.gate import Gate, Point
from tests.load.killed.killing import (
    FIRST,
    SECOND,
    Load,
    Prepared,
    cases,
    load,
    outcome,
    terminate,
)

pytestmark = pytest.mark.slow

Start = Callable[[Month], str]

LOCK_HOLDERS = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
STAGED = r"discogs_staging\."

PAUSES = [
    (FIRST, Point("rows half sent", rf"^DATA COPY {STAGED}release_credits")),
    (FIRST, Point("before the rows", rf"^SELECT shard, claim FROM {STAGED}releases", nth=2)),
    (FIRST, Point("between two entities", r"^COMMIT after INSERT INTO staged_shards", nth=2)),
    (FIRST, Point("keys", rf"^CREATE .*INDEX .* ON {STAGED}release_tracks")),
    (FIRST, Point("staged and not merged", r"^COMMIT after INSERT INTO staged_shards", nth=4)),
    (SECOND, Point("before the rows", rf"^SELECT shard, claim FROM {STAGED}releases", nth=1)),
    (SECOND, Point("merge", r"^INSERT INTO discogs\.releases \(id, status")),
    (SECOND, Point("merged", r"^UPDATE discogs_data_processing SET processing_stats", nth=2)),
]


@contextmanager
def paused(dsn: str, prepared: Prepared, month: Month, point: Point) -> Iterator[Load]:
    """A load that is paused at a point while the body runs, and continues after it."""
    stopped, go_on = threading.Event(), threading.Event()
    commands: list[Load] = []

    def stop() -> bool:
        commands[0].signal(signal.SIGSTOP)
        stopped.set()
        return go_on.wait(120)

    with Gate(dsn, point, stop) as gate, Load(gate.dsn, prepared.folder, month) as command:
        commands.append(command)
        assert stopped.wait(60), f"never came to {point.statement}"
        try:
            yield command
        finally:
            command.signal(signal.SIGCONT)
            go_on.set()
            command.end()


@pytest.mark.parametrize(
    ("month", "point"), cases(PAUSES, lambda month, point: f"{month} {point}" == "2026-06 merge")
)
def test_a_load_beside_a_paused_one_names_the_session_that_blocks_it(
    prepared: Prepared, start: Start, month: Month, point: Point
) -> None:
    dsn = start(month)
    with (
        paused(dsn, prepared, month, point) as first,
        Load(dsn, prepared.folder, month) as second,
    ):
        code, said = second.end()
    assert code == 1
    assert "is held by server process" in said
    assert f"discogs load {month}" in said
    assert first.ended == (0, "")
    assert outcome(dsn) == prepared.outcomes[month]
    load(dsn, prepared.folder, month)
    assert outcome(dsn) == prepared.outcomes[month]


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param("true", id="everything"),
        pytest.param(LOCK_HOLDERS, id="locks", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize(
    ("month", "point"),
    cases(PAUSES, lambda month, point: f"{month} {point}" == "2026-05 before the rows"),
)
def test_a_load_that_lost_its_connections_writes_nothing_more(
    prepared: Prepared, start: Start, month: Month, point: Point, lost: str
) -> None:
    dsn = start(month)
    with paused(dsn, prepared, month, point) as zombie:
        assert terminate(dsn, lost) > 0
        with Load(dsn, prepared.folder, month) as retry:
            code, said = retry.end()
        # A worker that is paused during a COPY is waited for, up to a limit.
        assert code == 0 or "held by server process" in said
    if code:
        load(dsn, prepared.folder, month)
    code, said = zombie.ended
    assert code == 1
    assert said.splitlines()[-1].startswith("discogs: ")
    assert "Traceback" not in said
    assert outcome(dsn) == prepared.outcomes[month]


def test_a_shard_has_one_owner(connect: Connect) -> None:
    staging = staging_of(Settings(), Entity.LABELS, FIRST)
    with connect() as one, connect() as other:
        staging.create(one, logged=False)
        one.commit()
        mine = {0: staging.claim(one, 0)}
        staging.hold(one, mine)
        taken: list[object] = []
        taker = threading.Thread(target=lambda: taken.append(staging.claim(other, 0)))
        taker.start()
        taker.join(0.3)
        assert not taken, "a shard was taken in the middle of a write"
        one.commit()
        taker.join(10)
        assert taken
        with pytest.raises(StagingTaken):
            staging.hold(one, mine)
        with pytest.raises(StagingTaken):
            staging.complete(one, mine)
        assert staging.completed(other) == {}


def test_a_shard_that_was_merged_takes_no_rows(connect: Connect) -> None:
    staging = staging_of(Settings(), Entity.LABELS, FIRST)
    with connect() as conn:
        staging.create(conn, logged=False)
        claims = {0: staging.claim(conn, 0)}
        staging.drop(conn)
        conn.commit()
        with pytest.raises(StagingTaken, match="by a later attempt"):
            staging.hold(conn, claims)
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
