"""``python -m discogs``: see :mod:`discogs.cli`."""

from __future__ import annotations

import sys

from discogs.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
