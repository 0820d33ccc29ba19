SELECT *, clock_timestamp() AS clock
FROM discogs_data_processing_files
WHERE year_month = %(year_month)s AND file_name = %(file_name)s
FOR UPDATE
