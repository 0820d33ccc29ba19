"""The package's statements; see :mod:`discogs.sqlfiles`."""

from __future__ import annotations

from discogs.sqlfiles import folder, read

__all__ = ["folder", "read"]
