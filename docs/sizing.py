"""What a whole dump takes: the tables of docs/sizing.md and of the README.

The rates are those of the command ``plan`` and of the benchmark's results.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from benchmarks.process import RESULTS
from discogs.dumps.listing import DumpFile, DumpSet
from discogs.load.estimate import (
    FIRST_RATE,
    FIRST_SHARE,
    LATER_RATE,
    TABLE_BYTES,
    TRANSFER_RATE,
    Estimate,
    FilePlan,
)
from discogs.schema.entities import ENTITIES, Entity, Month
from discogs.settings import Settings

#: Records and bytes of the files of June 2026, the last month of which both are known of all four.
_RECORDS = {
    Entity.LABELS: 2_383_990,
    Entity.ARTISTS: 10_081_427,
    Entity.MASTERS: 2_560_991,
    Entity.RELEASES: 19_192_301,
}
_PACKED = {
    Entity.LABELS: 89e6,
    Entity.ARTISTS: 490e6,
    Entity.MASTERS: 614e6,
    Entity.RELEASES: 11.10e9,
}
#: Bytes that an update holds for each record of its file, while it reads the fingerprints.
_INDEX_BYTES = 17


def summary() -> str:
    """The README's table: what a first load and a later month take."""
    files, growth = sum(_PACKED.values()), _growth()
    tables, besides = _database(ENTITIES)
    rows = ["| | first load | each later month |", "|---|---|---|"]
    download = f"{_minutes(files, TRANSFER_RATE)[0]} min"
    rows.append(_row([f"download, at {TRANSFER_RATE / 1e6:g} MB/s", download, download]))
    times = [
        (_RECORDS[Entity.RELEASES] / _per_second(growth, name) + _others() / rate) / 60
        for name, rate in (("first", FIRST_RATE), ("update", LATER_RATE))
    ]
    rows.append(_row(["load, on 2 processors", *(f"{time:.0f} min" for time in times)]))
    rows.append(_row(["peak memory of a task", *_memory(growth)]))
    rows.append(_row(["disk for dump files", *(_size(each) for each in (files, 2 * files))]))
    rows.append(_row(["disk for the database", f"{besides}, then {tables}", "a tenth more"]))
    return "\n".join(rows)


#: Bytes of the disks in the example of a plan.
_FREE = {"storage": 210_400_000_000, "database": 180_100_000_000}


def plan() -> str:
    """What the command `plan` prints before a first load."""
    month = Month(2026, 6)
    size = sum(_PACKED.values())
    files = {
        entity: DumpFile(f"discogs_20260601_{entity}.xml.gz", "", int(_PACKED[entity]))
        for entity in ENTITIES
    }
    estimate = Estimate(
        dump=DumpSet(month, dt.date(2026, 6, 1), tuple(files.values()), ()),
        files=tuple(FilePlan(file, entity, False, False) for entity, file in files.items()),
        missing=int(size),
        margin=Settings().disk_margin,
        storage="/mnt/discogs",
        storage_free=_FREE["storage"],
        tables=int(sum(_PACKED[entity] * TABLE_BYTES[entity] for entity in ENTITIES) * FIRST_SHARE),
        tables_free=_FREE["database"],
        first=True,
        transfer_rate=TRANSFER_RATE,
        transfer_of=None,
        load_seconds=size / FIRST_RATE,
        load_of=None,
    )
    return "\n".join(["```", *estimate.lines(), "```"])


def disk() -> str:
    """Records, packed file and space in the database of each entity and of all."""
    rows = [
        "| | records | compressed file | factor | tables and indexes | during a first load |",
        "|---|---|---|---|---|---|",
    ]
    for entity in ENTITIES:
        cells = [str(entity), f"{_RECORDS[entity]:,}", _size(_PACKED[entity])]
        rows.append(_row([*cells, f"{TABLE_BYTES[entity]:g}", *_database([entity])]))
    cells = ["all", f"{sum(_RECORDS.values()):,}", _size(sum(_PACKED.values())), ""]
    rows.append(_row([f"**{cell}**" if cell else "" for cell in [*cells, *_database(ENTITIES)]]))
    return "\n".join(rows)


def hours() -> str:
    """Minutes of each step, by the benchmark's rates, with the arithmetic."""
    growth = _growth()
    packed, releases = sum(_PACKED.values()), _RECORDS[Entity.RELEASES]
    rows = [
        "| step | rate | minutes | amount |",
        "|---|---|---|---|",
        _row(["download", f"{TRANSFER_RATE / 1e6:g} MB/s", *_minutes(packed, TRANSFER_RATE)]),
    ]
    for title, name, rate in (
        ("first load", "first", FIRST_RATE),
        ("a later month", "update", LATER_RATE),
    ):
        per_second = _per_second(growth, name)
        minutes = f"{releases / per_second / 60:.0f}"
        rows.append(
            _row(
                [
                    f"{title}: releases",
                    f"{per_second:,.0f} releases/s",
                    minutes,
                    f"{releases:,} releases",
                ]
            )
        )
        rows.append(
            _row([f"{title}: other files", f"{rate / 1e6:g} MB/s", *_minutes(_others(), rate)])
        )
    return "\n".join(rows)


def memory() -> str:
    """Peak memory of the task that stages releases."""
    growth = _growth()
    rows = [
        f"| | measured, {growth['releases']:,} releases | estimate for a whole dump |",
        "|---|---|---|",
    ]
    for title, name, whole in zip(
        ("first load", "a later month"), ("first", "update"), _memory(growth), strict=True
    ):
        rows.append(_row([title, _size(_peak(growth, name)), whole]))
    return "\n".join(rows)


def _memory(growth: dict[str, Any]) -> list[str]:
    """Peaks of a first load and of an update of the whole dump."""
    more = (_RECORDS[Entity.RELEASES] - growth["releases"]) * _INDEX_BYTES
    return [_size(_peak(growth, "first")), _size(_peak(growth, "update") + more)]


def _peak(growth: dict[str, Any], name: str) -> float:
    return float(growth["steps"][name]["median"]["peak_bytes"])


def _per_second(growth: dict[str, Any], name: str) -> float:
    """Releases a second of a step."""
    step = growth["steps"][name]
    return float(step["releases"] / step["median"]["seconds"])


def _others() -> float:
    """Bytes of the files without that of releases."""
    return sum(_PACKED.values()) - _PACKED[Entity.RELEASES]


def _growth() -> dict[str, Any]:
    """The benchmark's largest load, of releases from a real dump."""
    points = json.loads((RESULTS / "growth-5000000-excerpts.json").read_text())["points"]
    return dict(max(points, key=lambda point: int(point["releases"])))


def _database(entities: Iterable[Entity]) -> list[str]:
    size = sum(_PACKED[entity] * TABLE_BYTES[entity] for entity in entities)
    return [_size(size), _size(size * FIRST_SHARE)]


def _minutes(size: float, rate: float) -> list[str]:
    minutes = size / rate / 60
    return [f"{minutes:.0f}" if minutes >= 1 else "under 1", _size(size)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
