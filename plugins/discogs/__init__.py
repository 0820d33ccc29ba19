"""Loads Discogs' monthly dumps into PostgreSQL: a library, a command, and an Airflow DAG."""

__version__ = "0.1.0"
