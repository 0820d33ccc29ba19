INSERT INTO discogs_data_processing (id, year_month)
VALUES (%(id)s, %(year_month)s)
ON CONFLICT (year_month) DO NOTHING
