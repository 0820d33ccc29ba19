UPDATE discogs_data_processing
SET retry_count = 0, updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
