"""A whole Airflow on one machine, for looking at and for tests: no Docker, nothing installed.

Embedded PostgreSQL holds Airflow's metadata and the target tables; Airflow's four processes run
beside it; the demo's dumps are generated and come from a local mirror. Not for production.
"""
