UPDATE discogs_data_processing_files
SET
    url = %(url)s,
    size = %(size)s,
    bytes_done = %(bytes_done)s,
    sha256 = %(sha256)s,
    state = %(state)s,
    attempts = %(attempts)s,
    updated_at = %(updated_at)s,
    started_at = %(started_at)s,
    completed_at = %(completed_at)s
WHERE year_month = %(year_month)s AND file_name = %(file_name)s
