"""A DAG of the package whose runs may take no longer than a few seconds."""

import datetime as dt

from discogs.airflow.dag import discogs_dag

dag = discogs_dag(
    dag_id="discogs_short",
    postgres_conn_id="discogs_second_postgres",
    schema="music",
    schedule="off",
)
dag.dagrun_timeout = dt.timedelta(seconds=25)
