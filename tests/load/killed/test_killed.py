"""A load that is killed at any point and tried again has the same result as an uninterrupted
one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from discogs.schema.entities import Entity, Month
from tests.load.killed.gate import Gate, Point
from tests.load.killed.killing import (
    FIRST,
    SECOND,
    Load,
    Prepared,
    cases,
    load,
    outcome,
    readers,
    terminate,
)

pytestmark = pytest.mark.slow

STAGED = r"discogs_staging\."
MERGED = rf"^COMMIT after DROP TABLE IF EXISTS {STAGED}"

# Each phase of a first load: the staging tables, their rows, their keys, the swap, and after it.
FIRST_LOAD = [
    Point("months row taken", r"^UPDATE discogs_data_processing", when="answered"),
    Point("staging tables made", rf"^CREATE TABLE {STAGED}release_genres"),
    Point("shard claimed", rf"^INSERT INTO {STAGED}artists_claims", when="answered"),
    Point("shard emptied", rf"^TRUNCATE {STAGED}releases", when="sent"),
    Point("first rows", rf"^COPY {STAGED}labels_"),
    Point("rows half sent", rf"^DATA COPY {STAGED}release_credits", when="sent"),
    Point("second rows of a worker", rf"^COPY {STAGED}release_artists", nth=3),
    Point("rows committed", rf"^COMMIT after COPY {STAGED}release", when="answered"),
    Point("rejected rows", rf"^COPY {STAGED}releases_rejected", when="sent"),
    Point("shard noted", r"^INSERT INTO staged_shards", nth=2),
    Point("shard complete", r"^COMMIT after INSERT INTO staged_shards", nth=4, when="answered"),
    Point("first index", rf"^CREATE .*INDEX .* ON {STAGED}labels", when="sent"),
    Point("index of a large table", rf"^CREATE .*INDEX .* ON {STAGED}release_tracks", when="sent"),
    Point("index done", rf"^COMMIT after CREATE .*INDEX .* ON {STAGED}artist", when="answered"),
    Point("primary keys", rf"^ALTER TABLE {STAGED}artist_urls\w* ADD CONSTRAINT .* PRIMARY KEY"),
    Point("placeholders of its own", rf"^INSERT INTO {STAGED}artists_\w+ \(id, placeholder"),
    Point("references", rf"^ALTER TABLE {STAGED}release_tracks\w* ADD CONSTRAINT .* FOREIGN KEY"),
    Point("references committed", r"^COMMIT after ALTER TABLE .* NOT VALID", when="answered"),
    Point("references checked", rf"^ALTER TABLE {STAGED}release_labels\w* VALIDATE", when="sent"),
    Point("statistics", rf"^ANALYZE {STAGED}releases", when="answered"),
    Point("placeholders of others", r"^INSERT INTO discogs\.artists \(id, placeholder"),
    Point("live tables locked", r"^LOCK TABLE .*discogs\.releases", when="answered"),
    Point("empty tables moved", rf"^ALTER TABLE discogs\.release_tracks SET SCHEMA {STAGED[:-2]}"),
    Point("tables moved", r"^ALTER TABLE .* SET SCHEMA discogs(?!_)", nth=9),
    Point("empty tables dropped", rf"^DROP TABLE {STAGED}artists, ", when="sent"),
    Point("indexes renamed", r"^ALTER INDEX .* RENAME TO", nth=3),
    Point("references to it", r"^ALTER TABLE discogs\.release_credits ADD CONSTRAINT"),
    Point("load noted", r"^INSERT INTO entity_loads", nth=2),
    Point("commit not sent", MERGED + "labels"),
    Point("commit sent", MERGED + "masters", when="sent"),
    Point("commit not heard of", MERGED + "releases", when="answered"),
    Point("statistics of the month", "^UPDATE discogs_data_processing SET processing_stats", nth=3),
    Point("month done", r"^COMMIT after UPDATE discogs_data_processing", nth=8),
]
SECOND_MONTH = [
    Point("months row taken", r"^UPDATE discogs_data_processing", when="answered"),
    Point("staging tables made", rf"^CREATE UNLOGGED TABLE {STAGED}release_genres"),
    Point("shard claimed", rf"^INSERT INTO {STAGED}labels_claims", when="answered"),
    Point("shard emptied", rf"^TRUNCATE {STAGED}masters", when="answered"),
    Point("first rows", rf"^COPY {STAGED}labels_"),
    Point("rows half sent", rf"^DATA COPY {STAGED}release_credits", when="sent"),
    Point("rows committed", rf"^COMMIT after COPY {STAGED}release", when="answered"),
    Point("ids that are gone", rf"^COPY {STAGED}artists_absent", when="sent"),
    Point("rejected rows", rf"^DATA COPY {STAGED}releases_rejected", when="sent"),
    Point("shard complete", r"^COMMIT after INSERT INTO staged_shards", nth=4, when="answered"),
    Point("merge begun", rf"^ANALYZE {STAGED}labels", when="sent"),
    Point("changes told apart", r"^INSERT INTO merge_changes", when="answered"),
    Point("placeholders", r"^INSERT INTO discogs\.artists \(id, placeholder", nth=2),
    Point("labels written", r"^INSERT INTO discogs\.labels \(id, name", when="answered"),
    Point("releases written", r"^INSERT INTO discogs\.releases \(id, status", when="sent"),
    Point("rows of releases written", r"INSERT INTO discogs\.release_tracks", when="answered"),
    Point("removed ones marked", r"UPDATE discogs\.artists .*removed_in", when="answered"),
    Point("placeholders dropped", r"^DELETE FROM discogs\.artists .*placeholder", when="answered"),
    Point("changes logged", r"^WITH differing", nth=3, when="answered"),
    Point("old rejected ones dropped", r"^DELETE FROM discogs\.rejected_records", nth=4),
    Point("rejected ones logged", r"^INSERT INTO discogs\.rejected_records", nth=4, when="sent"),
    Point("load noted", r"^INSERT INTO entity_loads", nth=2, when="answered"),
    Point("staging forgotten", r"^DELETE FROM staged_shards", nth=7),
    Point("staging dropped", rf"^DROP TABLE IF EXISTS {STAGED}releases", nth=2, when="answered"),
    Point("commit not sent", MERGED + "masters"),
    Point("commit sent", MERGED + "releases", when="sent"),
    Point("commit not heard of", MERGED + "labels", when="answered"),
    Point("statistics of the month", "^UPDATE discogs_data_processing SET processing_stats", nth=3),
    Point("month done", r"^COMMIT after UPDATE discogs_data_processing", nth=8, when="answered"),
]
# These always run; the others only with the marker ``full``.
QUICK = {
    (FIRST, "killed"): {
        "rows half sent",
        "index of a large table",
        "references committed",
        "empty tables dropped",
        "commit not heard of",
    },
    (SECOND, "killed"): {"rows committed", "rows of releases written", "commit not heard of"},
    (FIRST, "terminated"): {"rows committed", "tables moved"},
    (SECOND, "terminated"): {"rows half sent", "changes logged"},
}


def test_the_two_months_have_something_of_everything(prepared: Prepared) -> None:
    changes = prepared.outcomes[SECOND]["changes"]
    assert {(entity, change) for _, entity, _, change in changes} >= {
        (str(entity), change) for entity in Entity for change in ("added", "removed")
    }
    assert prepared.outcomes[FIRST]["changes"] == []
    assert len(prepared.outcomes[SECOND]["rejected"]) == 2
    for before, after in prepared.states.values():
        assert all(before[entity] != after[entity] for entity in Entity)


POINTS = [
    (month, point)
    for month, points in ((FIRST, FIRST_LOAD), (SECOND, SECOND_MONTH))
    for point in points
]


def ways(ended: str) -> list[Any]:
    return cases(POINTS, lambda month, point: point.name in QUICK[month, ended])


@pytest.mark.parametrize(("month", "point"), ways("killed"))
def test_a_killed_load_is_completed_by_the_next(
    prepared: Prepared, start: Callable[[Month], str], month: Month, point: Point
) -> None:
    dsn = start(month)
    with readers(dsn, *prepared.states[month]) as looking:
        commands: list[Load] = []

        def kill() -> bool:
            commands[0].process.kill()
            commands[0].process.wait()
            return False

        with (
            Gate(dsn, point, kill) as gate,
            Load(gate.dsn, prepared.folder, month) as command,
        ):
            commands.append(command)
            code, said = command.end()
            assert gate.reached.is_set(), f"never came to {point.statement}: {said}"
            assert code == -signal.SIGKILL
        load(dsn, prepared.folder, month)
    assert outcome(dsn) == prepared.outcomes[month]
    for reader in looking:
        assert all(reader.seen.values())


@pytest.mark.parametrize(("month", "point"), ways("terminated"))
def test_a_load_whose_connections_are_terminated_is_completed_by_the_next(
    prepared: Prepared, start: Callable[[Month], str], month: Month, point: Point
) -> None:
    dsn = start(month)
    with readers(dsn, *prepared.states[month]):

        def end() -> bool:
            assert terminate(dsn) > 0
            return False

        with (
            Gate(dsn, point, end) as gate,
            Load(gate.dsn, prepared.folder, month) as command,
        ):
            code, said = command.end()
            assert gate.reached.is_set(), f"never came to {point.statement}: {said}"
        assert "Traceback" not in said
        assert (code, bool(said)) in {(0, False), (1, True)}
        load(dsn, prepared.folder, month)
    assert outcome(dsn) == prepared.outcomes[month]


@pytest.mark.full
@pytest.mark.parametrize("month", [FIRST, SECOND], ids=str)
@pytest.mark.parametrize("share", [index / 20 for index in range(1, 20)])
def test_a_load_killed_after_any_share_of_its_statements_is_completed_by_the_next(
    prepared: Prepared, start: Callable[[Month], str], month: Month, share: float
) -> None:
    point = Point(f"{share:.0%}", nth=int(prepared.statements[month] * share))
    test_a_killed_load_is_completed_by_the_next(prepared, start, month, point)
