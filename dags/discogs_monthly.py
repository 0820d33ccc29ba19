"""The DAG ``discogs_monthly``: Discogs' monthly dump, loaded into PostgreSQL.

Its tasks and their order are in ``discogs/airflow/dag.py``; Airflow reads it from here.
"""

from discogs.airflow.dag import discogs_dag

dag = discogs_dag()
