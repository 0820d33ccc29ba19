"""A second DAG that loads into another database, or another schema of the same one.

Copy this file into your DAGs folder, and define the connection. Rows, alerts, assets and files of
its runs are its own: `discogs_monthly` knows nothing of them.
"""

from discogs.airflow.dag import discogs_dag

dag = discogs_dag(
    dag_id="discogs_second",
    postgres_conn_id="discogs_second_postgres",
    # Any setting may differ from the environment's, under its name without DISCOGS_.
    schema="music",
    schedule="off",
)
