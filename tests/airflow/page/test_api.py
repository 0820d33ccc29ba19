"""The page's JSON API over two loaded months, with Airflow's own authentication."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from discogs.database import load_log
from discogs.database.keys import KeySettings
from discogs.database.load_log import StagedShard
from discogs.database.search import build_search
from discogs.schema.entities import Entity, Month
from discogs.settings import MIB
from discogs.tracking.model import FileState, RunIdentity, Status, Waiting, WaitReason
from discogs.tracking.postgres import PostgresMonthRepository
from tests.airflow.page.conftest import FIRST, SECOND, THIRD

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from discogs.database.connection import Connect

pytestmark = pytest.mark.slow

Client = Callable[..., "TestClient"]
RUN = RunIdentity("discogs_monthly", "scheduled__2026-07")


def fetch(client: TestClient, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


PATHS = [
    "",
    "openapi.json",
    "static/main.js",
    "static/nothing.js",
    "api/months",
    "api/progress",
    "api/tables",
    f"api/months/{SECOND}",
    f"api/months/{SECOND}/changes",
    f"api/months/{SECOND}/rejected",
    f"api/months/{SECOND}/report",
    "api/months/not-a-month",
    "api/records?entity=releases&title=the",
    "api/records/releases/1",
    "nowhere",
]


def test_nobody_is_answered_without_a_login_and_access_to_the_dag(client: Client) -> None:
    nobody, without_role = client(None), client("")

    assert {path: nobody.get(path).status_code for path in PATHS} == dict.fromkeys(PATHS, 401)
    assert {path: without_role.get(path).status_code for path in PATHS} == dict.fromkeys(PATHS, 403)


def test_every_route_of_the_application_is_among_those_that_are_tried(client: Client) -> None:
    from discogs.airflow.page.app import page_app

    for route in page_app().openapi()["paths"]:
        start = route.split("{")[0].strip("/")
        assert any(path.startswith(start) for path in PATHS), route


def test_every_answer_carries_a_strict_policy(client: Client) -> None:
    for path, role in (("", "VIEWER"), ("api/months", "VIEWER"), ("nowhere", "VIEWER"), ("", None)):
        headers = client(role).get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_months_come_newest_first_with_what_their_loads_did(client: Client) -> None:
    months = fetch(client(), "api/months")["months"]

    assert [month["year_month"] for month in months] == [SECOND, FIRST]
    assert {month["status"] for month in months} == {"completed"}
    releases = {e["entity"]: e for e in months[0]["entities"]}["releases"]
    assert releases["state"] == "merged"
    counts = ("unchanged", "added", "changed", "restored", "rejected")
    assert releases["records"] >= sum(releases[name] for name in counts) > 0
    assert all(e["first_load"] for e in months[1]["entities"])


def test_months_are_paged(client: Client) -> None:
    page = fetch(client(), "api/months", limit=1)
    assert [month["year_month"] for month in page["months"]] == [SECOND]
    page = fetch(client(), "api/months", limit=1, before=page["next"])
    assert [month["year_month"] for month in page["months"]] == [FIRST]
    assert page["next"] is None


def test_a_month_has_its_files_checks_and_steps(client: Client) -> None:
    month = fetch(client(), f"api/months/{SECOND}")

    assert [file["entity"] for file in month["files"]] == sorted(map(str, Entity))
    for file in month["files"]:
        assert file["expected_sha256"] == file["actual_sha256"]
    assert month["checks"]
    assert all(check["passed"] for check in month["checks"])
    steps = {(step["step"], step["entity"]) for step in month["steps"]}
    assert steps == {(s, str(e)) for s in ("download", "stage", "merge") for e in Entity}
    assert all(step["started_at"] <= step["ended_at"] for step in month["steps"])


def test_the_report_is_a_file_with_what_the_status_command_shows(client: Client) -> None:
    answer = client().get(f"api/months/{SECOND}/report")

    assert answer.headers["content-disposition"] == f'attachment; filename="discogs-{SECOND}.json"'
    assert answer.json()["entities"]["labels"]["read"] > 0


def test_the_change_feed_is_paged_and_filtered(client: Client, connect: Connect) -> None:
    with connect() as conn:
        expected = conn.execute(
            "SELECT entity, id, change FROM entity_changes WHERE year_month = %s", [SECOND]
        ).fetchall()
    c, path = client(), f"api/months/{SECOND}/changes"
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = fetch(c, path, limit=3, **({"after": after} if after else {}))
        assert len(page["changes"]) <= 3
        found += page["changes"]
        after = page["next"]
        if after is None:
            break

    assert sorted((e["entity"], e["id"], e["change"]) for e in found) == sorted(expected)
    assert all(e["title"] for e in found if e["change"] == "added")
    changed = fetch(c, path, entity="releases", change="changed")["changes"]
    assert any(each["columns"] or each["tables"] for each in changed)
    with connect() as conn:
        conn.execute(
            "INSERT INTO entity_changes (year_month, entity, id, change) VALUES"
            " (%s, 'labels', 900001, 'rejected'), (%s, 'labels', 900002, 'filtered')",
            [SECOND, SECOND],
        )
        conn.commit()
    for number, kind in enumerate(("rejected", "filtered"), 900001):
        assert [each["id"] for each in fetch(c, path, change=kind)["changes"]] == [number]
        assert fetch(c, f"api/records/labels/{number}")["events"][0]["kind"] == kind
    removed = fetch(c, path, entity="releases", change="removed")["changes"]
    assert [(e["entity"], e["change"]) for e in removed] == [("releases", "removed")]
    assert removed[0]["url"] == f"https://www.discogs.com/release/{removed[0]['id']}"


def test_rejected_records_are_paged_with_their_xml(client: Client, connect: Connect) -> None:
    with connect() as conn:
        for number in range(3):
            conn.execute(
                "INSERT INTO rejected_records (year_month, entity, byte_offset, record_id, reason,"
                " xml) VALUES (%s, 'releases', %s, %s, 'odd', '<release>')",
                [SECOND, number, None if number else 7],
            )
        conn.commit()
    c, path = client(), f"api/months/{SECOND}/rejected"
    first = fetch(c, path, limit=2)
    assert [record["record_id"] for record in first["records"]] == [7, None]
    last = fetch(c, path, limit=2, after=first["next"])
    assert [record["byte_offset"] for record in last["records"]] == [2]
    assert last["next"] is None
    assert fetch(c, path, entity="labels")["records"] == []
    assert fetch(c, f"api/months/{SECOND}")["rejected"] == {"releases": 3}


def test_a_record_has_a_history(client: Client) -> None:
    c = client()
    changes = fetch(c, f"api/months/{SECOND}/changes", entity="releases")["changes"]
    by_change = {change["change"]: change["id"] for change in changes}

    removed = fetch(c, f"api/records/releases/{by_change['removed']}")
    assert removed["state"] == "removed"
    assert (removed["removed_in"], removed["last_seen"]) == (SECOND, FIRST)
    events = [(event["year_month"], event["kind"]) for event in removed["events"]]
    assert events == [(FIRST, "first_load"), (SECOND, "removed")]
    added = fetch(c, f"api/records/releases/{by_change['added']}")
    assert [event["kind"] for event in added["events"]] == ["added"]
    assert added["rows"][0]["table"] == "releases"
    assert added["rows"][0]["rows"][0]["title"] == added["title"]
    assert c.get("api/records/releases/2147483647").status_code == 404


@pytest.mark.parametrize("indexed", [False, True])
def test_records_are_found_by_the_beginning_of_their_title(
    client: Client, connect: Connect, indexed: bool
) -> None:
    if indexed:
        build_search(connect, "discogs", KeySettings(1, 64 * MIB))
    with connect() as conn:
        conn.execute("UPDATE labels SET name = '100% Pure <b>' WHERE id = 20")
        conn.commit()
    found = fetch(client(), "api/records", entity="labels", title="100% pu")
    assert [(label["id"], label["title"]) for label in found] == [(20, "100% Pure <b>")]
    assert fetch(client(), "api/records", entity="labels", title="%%") == []


def test_what_runs_waits_and_has_failed_is_shown(client: Client, connect: Connect) -> None:
    repository, month = PostgresMonthRepository(connect), Month.parse(THIRD)
    c = client()
    assert fetch(c, "api/progress")["months"] == []
    repository.claim(month, RUN)
    name = "discogs_20260701_labels.xml.gz"
    repository.record_file(month, name, state=FileState.DOWNLOADING, size=1000)
    repository.record_file(month, name, bytes_done=250)

    progress = fetch(c, "api/progress")
    assert [each["year_month"] for each in progress["months"]] == [THIRD]
    (step,) = progress["months"][0]["steps"]
    assert (step["step"], step["entity"]) == ("download", "labels")
    assert (step["done"], step["total"], step["finished_at"]) == (250, 1000, None)

    counts = {"read": 10, "unchanged": 4, "rejected": 1, "rows": 30, "seconds": 2.5}
    times = ("2026-07-02T06:00:00.5Z", None)
    with connect() as conn:
        for shard, at in enumerate(times):
            report = {**counts, "unpacked_bytes": 900 + shard, "started_at": at}
            load_log.record_staged(conn, Entity.LABELS, month, StagedShard(shard, 2, 1, report))
        conn.execute(
            "INSERT INTO load_steps (year_month, entity, step, shard, shards, done, total, unit,"
            " started_at, updated_at) SELECT %s, 'artists', step, 0, 1, 500, 1000, 'bytes',"
            " now() - interval '10 s', now() FROM unnest(%s::text[]) AS step",
            [THIRD, ["stage", "export"]],
        )
        conn.commit()
    shown = fetch(c, f"api/months/{THIRD}")
    (labels,) = shown["entities"]
    assert (labels["entity"], labels["state"], labels["seconds"]) == ("labels", "staged", 2.5)
    assert (labels["records"], labels["unchanged"], labels["rows"]) == (20, 8, 60)
    assert (labels["rejected"], labels["bytes"]) == (2, 901)

    def ends() -> dict[tuple[str, str], str | None]:
        steps = fetch(c, f"api/months/{THIRD}")["steps"]
        return {(step["step"], step["entity"]): step["ended_at"] for step in steps}

    document = fetch(c, "openapi.json")
    named = document["components"]["schemas"]["Step"]["properties"]["step"]["enum"]
    assert {step for step, _ in ends()} <= set(named)
    assert ends() == {
        ("download", "labels"): None,
        ("stage", "labels"): "2026-07-02T06:00:03Z",
        ("stage", "artists"): None,
        ("export", "artists"): None,
    }
    repository.move(
        month, Status.FAILED, run=RUN, error_message="download [labels]: <b>no</b> answer"
    )
    failed = fetch(c, "api/months")["months"][0]
    assert (failed["status"], failed["failed_attempts"]) == ("failed", 1)
    assert failed["failed_task"] == "download"
    assert failed["error"] == "download [labels]: <b>no</b> answer"
    assert ends()["stage", "artists"] is not None  # when it last wrote
    assert fetch(c, "api/progress")["changed_at"] > progress["changed_at"]


def test_a_month_that_was_loaded_twice_has_the_changes_of_both_loads(
    client: Client, connect: Connect
) -> None:
    before = fetch(client(), f"api/months/{SECOND}")["entities"][-1]
    with connect() as conn:
        conn.execute(
            "INSERT INTO entity_loads (year_month, entity, generation, records, report)"
            " SELECT year_month, entity, generation + 1, records,"
            ' report || \'{"inserted": 5, "updated": 0}\' FROM entity_loads'
            " WHERE year_month = %s AND entity = 'releases'",
            [SECOND],
        )
        conn.commit()
    releases = fetch(client(), f"api/months/{SECOND}")["entities"][-1]
    assert (releases["entity"], releases["loads"]) == ("releases", 2)
    assert releases["added"] == before["added"] + 5
    assert releases["changed"] == before["changed"]


def test_what_a_month_waits_for_is_shown(client: Client, connect: Connect) -> None:
    at = dt.datetime(2026, 7, 1, 6, tzinfo=dt.timezone.utc)
    waiting = Waiting(
        reason=WaitReason.NOT_PUBLISHED,
        message="No dump is listed.",
        since=at,
        next_look_at=at + dt.timedelta(minutes=30),
        gives_up_at=at + dt.timedelta(hours=20),
        run=RUN,
    )
    PostgresMonthRepository(connect).ensure(Month.parse(THIRD))
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing SET waiting = %s WHERE year_month = %s",
            [Jsonb(waiting.as_dict()), THIRD],
        )
        conn.commit()
    shown = fetch(client(), "api/months")["months"][0]["waiting"]
    assert shown["reason"] == "not_published"
    assert shown["next_look_at"] == "2026-07-01T06:30:00Z"


BAD = [
    "api/months/2026-13",
    "api/months/1850-01",
    "api/months?limit=0",
    f"api/months/{SECOND}/changes?entity=tapes",
    f"api/months/{SECOND}/changes?limit=501",
    f"api/months/{SECOND}/changes?after=labels",
    f"api/months/{SECOND}/rejected?after=-1",
    "api/records/releases/2147483648",
    "api/records?entity=releases&title=%00%00",
]


def test_a_bad_parameter_is_422(client: Client) -> None:
    c = client()
    assert {path: c.get(path).status_code for path in BAD} == dict.fromkeys(BAD, 422)


def test_an_unknown_month_is_404(client: Client) -> None:
    c = client()
    for of in ("", "/changes", "/rejected", "/report"):
        answer = c.get(f"api/months/2031-01{of}")
        assert answer.status_code == 404
        assert "2031-01" in answer.json()["detail"]


def test_a_database_without_tables_is_explained(client: Client, connect: Connect) -> None:
    with connect() as conn:
        conn.execute("DROP SCHEMA discogs CASCADE")
        conn.commit()
    answer = client().get("api/months")
    assert (answer.status_code, answer.json()["reason"]) == (503, "not_migrated")
    assert "migrate" in answer.json()["detail"]


def test_an_unreachable_database_and_a_missing_connection_are_explained(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = client()
    monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_POSTGRES", "postgres://user:secret@127.0.0.1:1/none")
    answer = c.get("api/months")
    assert (answer.status_code, answer.json()["reason"]) == (503, "unreachable")
    assert "secret" not in answer.text
    monkeypatch.delenv("AIRFLOW_CONN_DISCOGS_POSTGRES")
    answer = c.get("api/months")
    assert (answer.status_code, answer.json()["reason"]) == (503, "no_connection")
    assert "discogs_postgres" in answer.json()["detail"]


def test_what_the_page_asks_writes_nothing_and_is_cancelled_when_it_takes_long(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discogs.database.errors import DatabaseError
    from discogs.overview import reading

    with pytest.raises(DatabaseError, match="read-only"), reading.reading(connect) as cursor:
        cursor.execute("DELETE FROM entity_loads")
    monkeypatch.setattr(reading, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(reading.QueryTooSlow), reading.reading(connect) as cursor:
        cursor.execute("SELECT pg_sleep(10)")


def test_a_dag_that_loads_no_dumps_has_nothing_to_show(client: Client) -> None:
    answer = client().get("api/months", params={"dag_id": "example"})
    assert answer.status_code == 404
    assert "example" in answer.json()["detail"]
