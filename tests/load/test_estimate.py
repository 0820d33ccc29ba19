"""The estimate of a month's load, computed from an earlier month."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from discogs.database.connection import Connect
from discogs.dumps.listing import DumpFile, DumpSet
from discogs.dumps.storage import DumpStorage
from discogs.load.estimate import estimate
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import FileChecksum, FileState
from discogs.tracking.postgres import PostgresMonthRepository

MAY, JUNE = Month(2026, 5), Month(2026, 6)
SHA256 = "a" * 64


def test_an_estimate_is_computed_from_the_newest_month(connect: Connect, tmp_path: Path) -> None:
    name = "discogs_20260501_releases.xml.gz"
    repository = PostgresMonthRepository(connect)
    repository.ensure(MAY)
    repository.record_published(MAY, None, {name: SHA256})
    repository.record_checksums(MAY, {name: FileChecksum(SHA256, SHA256, 10**9)})
    repository.record_entity_stats(MAY, Entity.RELEASES, {"seconds": 600, "first_load": False})
    repository.record_file(MAY, name, state=FileState.DOWNLOADED, size=10**9)
    repository.record_file(MAY, "discogs_20260501_labels.xml.gz", size=1)
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing_files SET started_at = now() - interval '100 s',"
            " completed_at = now() WHERE file_name = %s",
            [name],
        )
        conn.commit()
    file = DumpFile("discogs_20260601_releases.xml.gz", "http://x", size=20 * 10**9)
    dump = DumpSet(JUNE, dt.date(2026, 6, 1), (file,), ())

    found = estimate(dump, DumpStorage(tmp_path), connect)

    assert (found.transfer_rate, found.transfer_of) == (pytest.approx(1e7), "2026-05")
    assert (found.load_seconds, found.load_of) == (12_000, "2026-05")
    assert (found.first, found.tables) == (False, 12 * 10**9)
    text = "\n".join(replace(found, tables_free=1, storage_free=None).lines())
    assert "about 33 minutes at 10.0 MB/s (measured in 2026-05)" in text
    assert "free space unknown from here" in text
    assert "0.0 MB free, NOT ENOUGH" in text
    assert "Load: about 3.3 hours (by the load of 2026-05)." in text
