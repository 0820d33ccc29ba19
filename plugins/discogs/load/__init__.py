"""A month's load: the steps that Airflow's operators and the command line both call."""
