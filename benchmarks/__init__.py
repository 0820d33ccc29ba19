"""The load beside its floor and its peers, measured: ``make bench``; see ``__main__``."""
