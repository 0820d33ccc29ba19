"""A second DAG that loads into another database, or into another schema of the same one.

Copy this file into your DAGs folder, and define the connection. The tracking rows, alerts, assets
and files of its runs are separate from those of `discogs_monthly`.
"""

from discogs.airflow.dag import discogs_dag

dag = discogs_dag(
    dag_id="discogs_second",
    postgres_conn_id="discogs_second_postgres",
    # Any setting can be overridden, under its name without DISCOGS_.
    schema="music",
    schedule="off",
)
