INSERT INTO discogs_data_processing_files (year_month, file_name)
VALUES (%(year_month)s, %(file_name)s)
ON CONFLICT (year_month, file_name) DO NOTHING
