"""The steps of a month's run against a mirror, for tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from discogs.dumps.source import Limits
from discogs.load.options import PlannedFile
from discogs.load.run import MonthRun
from discogs.load.source import ServerSource, Source
from discogs.sample.generator import write_months
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import RunIdentity, Status
from discogs.tracking.report import MonthReport
from tests.load.conftest import LENIENT

MONTH = Month(2026, 5)
OTHER = RunIdentity("a DAG", "another run")
QUICK = Limits(attempts=3, backoff=0.01)
SETTINGS = replace(LENIENT, workers=1)


def with_options(run: MonthRun, **changes: object) -> MonthRun:
    """The same run, with other options."""
    return replace(run, options=replace(run.options, **changes))  # type: ignore[arg-type]


def status(run: MonthRun) -> Status:
    record = run.repository.get(run.month)
    assert record is not None
    return record.status


def fetch(run: MonthRun, source: Source) -> list[PlannedFile]:
    """All steps until the files are there and verified."""
    run.claim()
    planned = run.plan(source)
    for file in planned:
        run.fetch(source, file)
        run.verify(source, file)
    run.ready(planned)
    assert run.take_turn() is None
    return planned


def load(run: MonthRun, source: ServerSource) -> MonthReport:
    """All steps of a month."""
    planned = fetch(run, source)
    for file in planned:
        run.stage(source.storage, file, 0)
    run.check_staged(planned)
    for file in planned:
        run.merge(source.storage, file)
    run.check()
    return run.complete()


def publish_again(source: ServerSource, served: Path, *entities: Entity) -> None:
    """Upload other files of some entities, and a CHECKSUM that lists them."""
    old = {path.name: path.read_bytes() for path in served.iterdir()}
    write_months(served, MONTH, releases=20, seed=4)
    marker = served / f"discogs_{MONTH.first_day:%Y%m%d}_CHECKSUM.txt"
    for entity in Entity:
        name = f"discogs_{MONTH.first_day:%Y%m%d}_{entity}.xml.gz"
        if entity not in entities:
            lines = [line for line in marker.read_text().splitlines() if name not in line]
            lines.append(f"{hashlib.sha256(old[name]).hexdigest()} {name}")
            marker.write_text("\n".join(lines) + "\n")
            (served / name).write_bytes(old[name])
