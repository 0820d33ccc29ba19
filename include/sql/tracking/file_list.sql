SELECT * FROM discogs_data_processing_files
WHERE year_month = %(year_month)s
ORDER BY file_name
