"""The DAG as the demo runs it: its mirror is on this machine, so files come beside each other."""

from discogs.airflow.dag import discogs_dag

dag = discogs_dag(parallel_downloads=4)
