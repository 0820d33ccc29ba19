"""Discogs' monthly dumps in PostgreSQL: the plain library below the Airflow package."""

__version__ = "0.1.0"
