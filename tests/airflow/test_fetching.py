"""Downloads of a running Airflow, by the server's log, and waits that fail."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest

from discogs.sample.exchange import Request
from discogs.sample.generator import write_months
from discogs.schema.entities import Month
from tests import faults
from tests.airflow.conftest import DAG_ID

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow

ORDER = ["labels", "masters", "artists", "releases"]
#: Bytes a second, such that a file takes about a second and transfers beside each other overlap.
RATE = 60_000


def transfers(seen: list[Request]) -> list[tuple[str, str]]:
    """The month and the entity of each file that was asked for, in that order."""
    found = [re.search(r"discogs_(\d{6})01_(\w+)\.xml\.gz", request.target) for request in seen]
    return [(match[1], match[2]) for match in found if match is not None]


def overlaps(seen: list[Request]) -> list[tuple[str, str]]:
    """Pairs of files that were on their way at the same time."""
    files = [request for request in seen if ".xml.gz" in request.target]
    return [
        (one.target, other.target)
        for one, other in itertools.pairwise(files)
        # The last bytes are there a moment before the server is done.
        if one.ended is None or one.ended > other.at + 0.1
    ]


def test_a_month_is_fetched_file_by_file_with_six_requests(airflow_stack: RunningAirflow) -> None:
    airflow = airflow_stack
    airflow.start_afresh()
    write_months(airflow.dumps, Month(2026, 5), releases=150, seed=3)
    airflow.mirror.add(faults.slow(RATE, chunk=4096).on(r"\.xml\.gz").repeated(4))
    before = len(airflow.mirror.seen)

    run_id, state = airflow.load("2026-05")

    assert state == "success", airflow.states(run_id)
    seen = airflow.mirror.seen[before:]
    assert transfers(seen) == [("202605", entity) for entity in ORDER]
    assert overlaps(seen) == []
    assert len(seen) == 6, [request.target for request in seen]
    log = airflow.log(run_id, "fetch_checksums")
    assert "Plan for 2026-05, the dump of 2026-05-01:" in log
    assert "Disk for the database: about" in log


def test_a_backfill_fetches_file_by_file_too(airflow_stack: RunningAirflow) -> None:
    airflow = airflow_stack
    airflow.start_afresh()
    # Other files than those that a test before has left in the storage.
    write_months(airflow.dumps, Month(2026, 7), months=2, releases=150, seed=4)
    airflow.mirror.add(faults.slow(RATE, chunk=4096).on(r"\.xml\.gz").repeated(8))
    before = len(airflow.mirror.seen)

    backfill = {
        "dag_id": DAG_ID,
        "from_date": "2026-07-01T00:00:00Z",
        "to_date": "2026-08-01T00:00:00Z",
        "max_active_runs": 2,
        "reprocess_behavior": "completed",
        "run_backwards": False,
    }
    airflow.client.call("POST", "backfills", json=backfill)
    airflow.until(
        "both months are fetched",
        lambda: (
            len(transfers(airflow.mirror.seen[before:])) >= 8
            and not airflow.client.runs(DAG_ID, ["queued", "running"])
        ),
    )

    seen = airflow.mirror.seen[before:]
    for month in ("202607", "202608"):
        assert [entity for which, entity in transfers(seen) if which == month] == ORDER
        assert str(airflow.month(f"{month[:4]}-{month[4:]}").status) == "completed"
    assert overlaps(seen) == []
    assert len(seen) == 12, [request.target for request in seen]


def test_a_wait_that_fails_in_the_triggerer_fails_the_task(airflow_stack: RunningAirflow) -> None:
    airflow = airflow_stack
    airflow.start_afresh()
    dag_id = "wait_in_a_poor_triggerer"
    airflow.until("the DAG is there", lambda: airflow.client.has_dag(dag_id))

    run_id = airflow.client.trigger(dag_id, conf={})
    state = airflow.client.wait(dag_id, run_id)

    states = {task.name: task.state for task in airflow.client.task_states(dag_id, run_id)}
    assert (state, states) == ("failed", {"wait_for_dump": "failed"})
    assert "failed in the triggerer" in airflow.client.logs(dag_id, run_id, "wait_for_dump")
