"""Every task of a month fails in turn and is cleared; the month is as without failures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from demo import embedded
from discogs.database.connection import connector
from discogs.database.locking import advisory_lock
from discogs.load.folder import load_folder
from discogs.load.locks import month_lock
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.model import Status
from tests import faults
from tests.content import difference, digests
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

FIRST, SECOND = Month(2023, 3), Month(2023, 4)
SAMPLE: dict[str, Any] = {"releases": 200, "seed": 7, "since": FIRST}
DAG_ID = "discogs_monthly"

Fault = Callable[["RunningAirflow"], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def trigger(
    airflow: RunningAirflow, table: str, on: str, when: str, do: str | None = None
) -> Iterator[None]:
    """A trigger in the database that refuses or changes a row."""
    body = do or "RAISE EXCEPTION 'made to fail'"
    airflow.execute(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body}; RETURN NEW; END $$",
        f"CREATE TRIGGER spoil BEFORE {on} ON {table} FOR EACH ROW WHEN ({when})"
        " EXECUTE FUNCTION spoil()",
    )
    try:
        yield
    finally:
        airflow.execute("DROP FUNCTION spoil() CASCADE")


@contextlib.contextmanager
def policy(airflow: RunningAirflow, task_id: str) -> Iterator[None]:
    fault = airflow.fault(task_id)
    fault.write_text("made to fail")
    try:
        yield
    finally:
        fault.unlink()


@contextlib.contextmanager
def unknown_migration(airflow: RunningAirflow) -> Iterator[None]:
    airflow.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'newer', '')"
    )
    try:
        yield
    finally:
        airflow.execute("DELETE FROM schema_migrations WHERE version = 9999")


@contextlib.contextmanager
def refusing(airflow: RunningAirflow, match: str) -> Iterator[None]:
    airflow.mirror.add(faults.status(400).on(match))
    yield


@contextlib.contextmanager
def another_command(airflow: RunningAirflow) -> Iterator[None]:
    with airflow.connect() as conn, advisory_lock(conn, month_lock("discogs", SECOND), wait=5):
        conn.commit()
        yield


@contextlib.contextmanager
def miscounted(airflow: RunningAirflow) -> Iterator[None]:
    when, do = "NEW.entity = 'releases'", "NEW.records := NEW.records + 7"
    with trigger(airflow, "entity_loads", "INSERT", when, do):
        yield
    airflow.execute(
        "UPDATE entity_loads SET records = records - 7"
        f" WHERE entity = 'releases' AND year_month = '{SECOND}'"
    )


def becoming(status: str) -> Fault:
    return lambda airflow: trigger(
        airflow, "discogs_data_processing", "UPDATE", f"NEW.status = '{status}'"
    )


# The task that fails, what makes it fail, and what the row says; in the DAG's order.
FAULTS: list[tuple[str, Fault, str]] = [
    ("resolve_month", lambda a: policy(a, "resolve_month"), "made to fail"),
    ("migrate", unknown_migration, "migrations that this package lacks"),
    ("month_pending", lambda a: policy(a, "month_pending"), "made to fail"),
    ("wait_for_dump", lambda a: refusing(a, "data"), "400"),
    ("fetch_checksums", another_command, "is held by"),
    ("download [masters]", lambda a: refusing(a, r"download=.*masters"), "400"),
    (
        "checksum [labels]",
        lambda a: trigger(
            a, "discogs_data_processing_files", "UPDATE",
            "NEW.state = 'verified' AND NEW.file_name LIKE '%labels%'",
        ),
        "made to fail",
    ),
    ("ready", becoming("ready_for_processing"), "made to fail"),
    (
        "stage.artists [shard 2 of 2]",
        lambda a: trigger(a, "staged_shards", "INSERT", "NEW.entity = 'artists' AND NEW.shard = 1"),
        "made to fail",
    ),
    ("merge.check_staged", lambda a: policy(a, "merge.check_staged"), "made to fail"),
    *(
        (
            f"merge.{entity}",
            lambda a, entity=entity: trigger(  # type: ignore[misc]
                a, "entity_loads", "INSERT", f"NEW.entity = '{entity}'"
            ),
            "made to fail",
        )
        for entity in ("labels", "artists", "masters", "releases")
    ),
    ("checks", miscounted, "checks failed"),
    ("complete", becoming("completed"), "made to fail"),
    (
        "cleanup",
        lambda a: trigger(a, "discogs_data_processing_files", "UPDATE", "NEW.state = 'deleted'"),
        "made to fail",
    ),
]  # fmt: skip


def undisturbed(airflow: RunningAirflow, *months: Month) -> str:
    """The DSN of a database into which the same files were loaded without Airflow."""
    server = embedded.find(airflow.stack.home.postgres)
    assert server is not None
    dsn = embedded.ensure_database(server, f"undisturbed_{months[0].year}_{len(months)}")
    for month in months:
        load_folder(
            connector(dsn, "discogs"),
            airflow.dumps,
            month,
            replace(Settings(), workers=1),
            run_id="a test",
        )
    return dsn


def test_every_task_can_fail_and_be_cleared(airflow_stack: RunningAirflow) -> None:
    airflow_stack.start_afresh()
    write_months(airflow_stack.dumps, FIRST, months=2, **SAMPLE)
    assert airflow_stack.load(str(FIRST))[1] == "success"

    run_id = None
    seen = []
    for count, (task, fault, said) in enumerate(FAULTS, start=1):
        with fault(airflow_stack):
            if run_id is None:
                run_id = airflow_stack.client.trigger(
                    DAG_ID, partition_key=str(SECOND), conf={"shards": 2}
                )
            else:
                airflow_stack.client.clear(DAG_ID, run_id)
            state = airflow_stack.wait(run_id)
        states = airflow_stack.states(run_id)
        record = airflow_stack.month(str(SECOND))
        assert (task, state, states.get(task)) == (task, "failed", "failed"), states
        assert (task, record.status) == (task, Status.FAILED)
        assert record.error_message is not None
        assert record.error_message.startswith(f"{task}: ")
        assert said in record.error_message
        assert (task, record.retry_count) == (task, count)
        if task.startswith("stage."):
            # Nothing is merged while a file is not staged.
            merges = {name: each for name, each in states.items() if name.startswith("merge.")}
            assert set(merges.values()) == {"upstream_failed"}
        seen.append(task.partition(" ")[0])
    assert run_id is not None
    airflow_stack.client.clear(DAG_ID, run_id)

    assert airflow_stack.wait(run_id) == "success", airflow_stack.states(run_id)
    record = airflow_stack.month(str(SECOND))
    assert (record.status, record.error_message) == (Status.COMPLETED, None)
    assert difference(airflow_stack.stack.dsn, undisturbed(airflow_stack, FIRST, SECOND)) == []
    tasks = {name.partition(" ")[0] for name in airflow_stack.states(run_id)}
    # The other stages differ from the artists' in nothing but their name.
    same = {f"stage.{entity}" for entity in ("labels", "masters", "releases")}
    assert tasks - set(seen) - same == set()


def test_clearing_what_is_done_fetches_nothing_and_changes_nothing(
    airflow_stack: RunningAirflow,
) -> None:
    older = airflow_stack.ensure_loaded(FIRST, **SAMPLE)
    newer = airflow_stack.ensure_loaded(SECOND, **SAMPLE)
    before = digests(airflow_stack.stack.dsn)
    row = airflow_stack.month(str(SECOND))
    fetched = airflow_stack.mirror.count(r"download=.*xml")

    airflow_stack.client.clear(DAG_ID, newer, ["download"], only_failed=False)
    assert airflow_stack.wait(newer) == "success", airflow_stack.states(newer)

    assert airflow_stack.mirror.count(r"download=.*xml") == fetched
    assert airflow_stack.month(str(SECOND)) == row

    stages = [f"stage.{entity}" for entity in ("labels", "artists", "masters", "releases")]
    airflow_stack.client.clear(DAG_ID, older, stages, only_failed=False)
    assert airflow_stack.wait(older) == "success", airflow_stack.states(older)

    assert airflow_stack.month(str(FIRST)).status is Status.COMPLETED
    assert digests(airflow_stack.stack.dsn) == before
