-- Whether a run is alive, and what it waits for, for whoever shares the database.

ALTER TABLE discogs_data_processing
    ADD COLUMN airflow text,
    ADD COLUMN alive_until timestamptz,
    ADD COLUMN waiting jsonb;
COMMENT ON COLUMN discogs_data_processing.airflow IS 'Id of the Airflow whose run last moved the month (its variable discogs_airflow_id); NULL for the command line';
COMMENT ON COLUMN discogs_data_processing.alive_until IS 'Until when the run at work counts as alive for another Airflow; renewed while it works. NULL when no Airflow run is at work';
COMMENT ON COLUMN discogs_data_processing.waiting IS 'What a run waits for before it has the month: {reason, message, since, next_look_at, gives_up_at, dag_id, run_id, airflow}; NULL when none waits';
