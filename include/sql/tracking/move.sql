-- Moves a month only as long as it stands where its mover saw it: two runs that claim one month
-- at once both come here, the second waits for the first to commit and then changes nothing.
UPDATE discogs_data_processing
SET
    status = %(status)s::processing_status,
    dag_id = %(dag_id)s,
    run_id = %(run_id)s,
    retry_count = %(retry_count)s,
    error_message = %(error_message)s,
    started_at = %(started_at)s,
    download_completed_at = %(download_completed_at)s,
    processing_completed_at = %(processing_completed_at)s,
    updated_at = %(updated_at)s
WHERE
    year_month = %(year_month)s
    AND status = %(old_status)s::processing_status
    AND dag_id IS NOT DISTINCT FROM %(old_dag_id)s
    AND run_id IS NOT DISTINCT FROM %(old_run_id)s
    AND retry_count = %(old_retry_count)s
RETURNING *
