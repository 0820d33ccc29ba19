-- One month's row, and the server's clock: workers' clocks differ.
SELECT *, clock_timestamp() AS clock
FROM discogs_data_processing
WHERE year_month = %(year_month)s
