"""Small dumps of given records, in Discogs' format."""

from __future__ import annotations

import gzip
from pathlib import Path

from discogs.schema.entities import Entity, Month


def write_dump(folder: Path, month: Month, entity: Entity, *records: str) -> Path:
    """Write an entity's file of a month, with a record per line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"discogs_{month.first_day:%Y%m%d}_{entity}.xml.gz"
    lines = "".join(f"{record}\n" for record in records)
    path.write_bytes(gzip.compress(f"<{entity}>\n{lines}</{entity}>\n".encode()))
    return path
