"""A wait for a dump whose connection the tasks have and the triggerer does not.

Tasks import this file, and with it the connection; the triggerer imports no DAG.
"""

from __future__ import annotations

import datetime as dt
import os

from airflow.sdk import DAG

from discogs.airflow.sensors import DumpAvailableSensor
from discogs.load.options import RunOptions
from discogs.schema.entities import Month

os.environ["AIRFLOW_CONN_ONLY_TASKS_HAVE"] = os.environ.get("AIRFLOW_CONN_DISCOGS_DUMPS", "")

with DAG("wait_in_a_poor_triggerer", schedule=None, catchup=False, is_paused_upon_creation=False):
    DumpAvailableSensor(
        task_id="wait_for_dump",
        plan=RunOptions(month=Month.of(dt.datetime.now(dt.timezone.utc).date())).as_dict(),
        dumps_conn_id="only_tasks_have",
        poll_interval=dt.timedelta(seconds=1),
        retries=0,
    )
