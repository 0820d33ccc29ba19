"""The state of each month: the only way to ``discogs_data_processing`` and its files."""
