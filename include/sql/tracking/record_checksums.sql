-- File by file, so that tasks that check one file each do not overwrite one another.
UPDATE discogs_data_processing
SET file_checksums = file_checksums || %(checksums)s, updated_at = clock_timestamp()
WHERE year_month = %(year_month)s
RETURNING *
