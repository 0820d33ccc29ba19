"""The steps of a month's run, each a thin layer over :mod:`discogs.load`."""
