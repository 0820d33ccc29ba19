"""Hooks: Airflow connections to the dump server and to the target database."""
