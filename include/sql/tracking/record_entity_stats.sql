UPDATE discogs_data_processing
SET processing_stats = processing_stats || %(stats)s, updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
