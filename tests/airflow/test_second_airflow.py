"""A second Airflow that loads into the same database: neither takes over live runs of the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.stack import environment_of
from discogs.schema.entities import Month
from discogs.tracking.model import Status
from tests.airflow.test_several_runs import DAG_ID, LABELS, PAST, downloading, skipped_from, stalled
from tests.conftest import PROJECT
from tests.sample.odd_records import write_months

if TYPE_CHECKING:
    from tests.airflow.conftest import RunningAirflow

pytestmark = pytest.mark.airflow


def second_airflow(airflow: RunningAirflow, home: Path) -> dict[str, str]:
    """The environment of another Airflow, with its own database and the same target."""
    environment = {
        **environment_of(airflow.stack.home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": "dags",
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(PROJECT / "dags")},
                }
            ]
        ),
        "DISCOGS_STORAGE": str(home / "dumps"),
    }
    for name in ("DISCOGS_ALERTS", "DISCOGS_TEST_FAULTS"):
        environment.pop(name, None)
    for arguments in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run(["airflow", *arguments], env=environment, check=True, capture_output=True)
    return environment


def test_a_second_airflow_leaves_a_month_at_work_alone_and_takes_it_when_its_run_is_dead(
    airflow_stack: RunningAirflow, tmp_path: Path
) -> None:
    airflow = airflow_stack
    airflow.start_afresh()
    write_months(airflow.dumps, PAST, months=2, releases=50, seed=4)
    theirs = PAST.plus(1)
    environment = second_airflow(airflow, tmp_path)

    def test_run(month: Month) -> subprocess.Popen[str]:
        conf = json.dumps({"year_month": str(month), **LABELS})
        return subprocess.Popen(
            ["airflow", "dags", "test", DAG_ID, "--conf", conf],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    with downloading(airflow, PAST) as run_id:
        before = airflow.month(str(PAST))
        said, _ = test_run(PAST).communicate()
        assert f"{PAST} is downloading in another run, {DAG_ID} / {run_id}" in said, said[-3000:]
        after = airflow.month(str(PAST))
        assert after.replace(alive_until=None) == before.replace(alive_until=None)
        assert airflow.client.run(DAG_ID, run_id)["state"] == "running"

    # The other way round: a run of the second Airflow is running, and dies with its machine.
    with stalled(airflow, theirs) as begun:
        process = test_run(theirs)
    try:
        begun()
        theirs_at_work = airflow.month(str(theirs))
        assert theirs_at_work.airflow not in (None, airflow.month(str(PAST)).airflow)
        ours = airflow.client.trigger(DAG_ID, partition_key=str(theirs), conf=LABELS)
        assert "in another run" in skipped_from(airflow, ours, "month_pending")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    ours = airflow.client.trigger(DAG_ID, partition_key=str(theirs), conf=LABELS)
    assert "in another run" in skipped_from(airflow, ours, "month_pending")
    # A quarter of an hour later.
    airflow.execute(
        "UPDATE discogs_data_processing SET alive_until = alive_until - interval '15 min'"
        f" WHERE year_month = '{theirs}'"
    )
    ours, state = airflow.load(str(theirs), **LABELS)
    assert state == "success", airflow.states(ours)
    assert airflow.month(str(theirs)).status is Status.COMPLETED
    # The dead run's failure is recorded by this run, or by another run just before.
    assert f"{theirs} has failed 1 times so far" in airflow.log(ours, "month_pending")
