"""A complete Airflow on one machine, for the demo and the tests, without Docker or root.

An embedded PostgreSQL holds Airflow's metadata and the target tables; Airflow's four processes run
beside it; the demo's dumps are generated and served by a local mirror. Not for production.
"""
