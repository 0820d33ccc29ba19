"""The DAG of the demo. Its mirror is local, so all files are downloaded at the same time."""

from discogs.airflow.dag import discogs_dag

dag = discogs_dag(parallel_downloads=4)
