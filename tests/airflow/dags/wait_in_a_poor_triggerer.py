"""A wait for a dump whose connection the tasks have and the triggerer does not.

Tasks import this file, and with it the connection; the triggerer imports no DAG.
"""

from __future__ import annotations

import datetime as dt
import os

from airflow.sdk import DAG

from discogs.airflow.sensors import DumpAvailableSensor

os.environ["AIRFLOW_CONN_ONLY_TASKS_HAVE"] = os.environ.get("AIRFLOW_CONN_DISCOGS_DUMPS", "")

with DAG("wait_in_a_poor_triggerer", schedule=None, catchup=False, is_paused_upon_creation=False):
    DumpAvailableSensor(
        task_id="wait_for_dump",
        dumps_conn_id="only_tasks_have",
        poll_interval=dt.timedelta(seconds=1),
        retries=0,
    )
