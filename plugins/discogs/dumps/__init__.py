"""Dump files: names, listings, checksums, download, verification, storage, retention."""
