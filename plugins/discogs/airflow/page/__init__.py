"""The Discogs page in Airflow's UI: a separate web application with a JSON API."""
