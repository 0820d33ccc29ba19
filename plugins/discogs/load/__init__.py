"""The steps of a month's load, which Airflow's operators and the command line call."""
