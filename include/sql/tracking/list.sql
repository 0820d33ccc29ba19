SELECT * FROM discogs_data_processing ORDER BY year_month
