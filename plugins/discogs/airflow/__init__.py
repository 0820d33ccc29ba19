"""Airflow's side of the package: everything that imports Airflow."""
