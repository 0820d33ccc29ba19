"""The Discogs page in Airflow's UI: a web application of its own, and the JSON API behind it."""
