"""A month's life: what Airflow's operators and the command line both call."""
