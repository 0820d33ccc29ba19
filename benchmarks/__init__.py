"""Benchmarks of the load, compared with its floor and a peer: ``make bench``, see ``__main__``."""
