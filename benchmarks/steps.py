"""The steps, each run in its own process: ``python -m benchmarks.steps NAME JSON``.

Each prints one line of JSON. Each step has its own imports, so that they do not add to the memory
and the start of other steps.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.process import STARTED


def sample(folder: str, releases: int, seed: int, month: str) -> dict[str, Any]:
    """Write two successive months of dumps."""
    from discogs.sample.generator import write_months
    from discogs.schema.entities import Month

    write_months(Path(folder), Month.parse(month), 2, releases=releases, seed=seed)
    return {}


def migrate(dsn: str) -> dict[str, Any]:
    """Create the empty tables."""
    from discogs.database import migrations
    from discogs.database.connection import connector
    from discogs.settings import Settings

    schema = Settings.from_environment().schema
    migrations.migrate(connector(dsn, schema), schema)
    return {}


def load(dsn: str, folder: str, month: str, entities: Iterable[str]) -> dict[str, Any]:
    """Stage and merge some of a month's files; returns the report of each."""
    from discogs.database.connection import connector
    from discogs.load.merge import merge
    from discogs.load.source import FolderSource
    from discogs.load.stage import stage
    from discogs.schema.entities import Entity, Month
    from discogs.settings import Settings

    begun = _since_start()
    settings = Settings.from_environment()
    connect = connector(dsn, settings.schema)
    which = Month.parse(month)
    source = FolderSource(Path(folder))
    dump = source.find(which)
    reports = {}
    for name in entities:
        entity = Entity(name)
        file_name = dump.file(entity).name
        with source.storage.open(file_name) as packed:
            staged = stage(
                connect,
                packed,
                name=file_name,
                entity=entity,
                month=which,
                settings=settings,
            )
        started = time.perf_counter()
        merged = merge(connect, entity=entity, month=which, settings=settings)
        reports[name] = {
            **merged.as_dict(),
            "staged": staged.as_dict(),
            "merge_seconds": time.perf_counter() - started,
        }
    return {"startup_seconds": begun, "reports": reports}


def reading(folder: str, month: str) -> dict[str, Any]:
    """Decompress a file of releases, split it, and read ids and fingerprints."""
    from discogs.load.source import FolderSource
    from discogs.load.stage import SIZES
    from discogs.records.prefetch import short_switch_interval
    from discogs.records.reader import read
    from discogs.schema.entities import Entity, Month

    source, entity = FolderSource(Path(folder)), Entity.RELEASES
    name = source.find(Month.parse(month)).file(entity).name
    started, busy = time.perf_counter(), time.process_time()
    with source.storage.open(name) as packed, short_switch_interval():
        found = read(packed, name, entity, max_record_bytes=SIZES.record)
        count = sum(len(scanned.ids) for scanned in found)
    return {
        "read": count,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
    }


def floor_files(dsn: str, folder: str) -> dict[str, Any]:
    """Write the rows of a loaded database into files for :func:`floor`."""
    from benchmarks.floor import prepare
    from discogs.database.connection import connector
    from discogs.settings import Settings

    settings = Settings.from_environment()
    return prepare(connector(dsn, settings.schema), settings, Path(folder))


def floor(dsn: str, folder: str, month: str) -> dict[str, Any]:
    """COPY prepared rows and build the keys."""
    from benchmarks.floor import load
    from discogs.database.connection import connector
    from discogs.schema.entities import Month
    from discogs.settings import Settings

    begun = _since_start()
    settings = Settings.from_environment()
    load(connector(dsn, settings.schema), settings, Path(folder), Month.parse(month))
    return {"startup_seconds": begun}


_STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step for step in (sample, migrate, load, reading, floor_files, floor)
}


def _since_start() -> float:
    """Seconds since this process was started: the interpreter's own start, and imports."""
    return max(0.0, time.time() - float(os.environ[STARTED]))


def main() -> None:
    answer = _STEPS[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
