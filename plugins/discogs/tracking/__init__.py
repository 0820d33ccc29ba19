"""Where each month stands: the only way to ``discogs_data_processing`` and its files."""
