"""The fixture of a running Airflow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from demo import processes
from demo.errors import ComponentEnded

if TYPE_CHECKING:
    from tests.airflow.running import RunningAirflow

pytestmark = pytest.mark.airflow


def test_a_wait_ends_when_a_component_does_and_the_next_test_finds_all_alive(
    airflow_stack: RunningAirflow,
) -> None:
    run = airflow_stack.stack.home.run
    triggerer = processes.running(run)["triggerer"]
    started = time.monotonic()
    triggerer.kill()

    with pytest.raises(ComponentEnded, match=r"triggerer has ended \(signal 9\)"):
        airflow_stack.until("what never comes", lambda: False)

    assert time.monotonic() - started < 60
    airflow_stack.begin()
    assert processes.running(run)["triggerer"] != triggerer
    airflow_stack.watch.check()
