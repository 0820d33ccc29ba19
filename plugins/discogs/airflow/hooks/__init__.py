"""The way from Airflow's connections to the library's servers and databases."""
