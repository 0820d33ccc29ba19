"""The cost of options: ``python -m benchmarks.options --releases 100000``.

The same two months of dumps are loaded without options, with the search indexes, and with old
values in the change feed; then the documented searches are timed. Prints a table, and writes
``options-N.json``.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import bench, command
from benchmarks.process import log, step
from benchmarks.server import Server, started
from discogs.database.connection import connector
from discogs.database.keys import KeySettings
from discogs.database.search import build_search
from discogs.schema.entities import Entity
from discogs.settings import Settings

#: Each way of loading, with its settings.
VARIANTS = {
    "no options": {},
    "search indexes": {"DISCOGS_SEARCH": "on"},
    "old values": {"DISCOGS_OLD_VALUES": "on"},
}
_ENTITIES = [str(entity) for entity in Entity]
#: Searches: the query, and the query for the values to search for.
SEARCHES = {
    "barcode": (
        "SELECT r.* FROM release_identifiers i JOIN live_releases r ON r.id = i.release_id"
        " WHERE i.type = 'Barcode' AND search_digits(i.value) = search_digits(%s)",
        "SELECT value FROM release_identifiers WHERE type = 'Barcode'",
    ),
    "catalogue number": (
        "SELECT r.* FROM release_labels l JOIN live_releases r ON r.id = l.release_id"
        " WHERE search_code(l.catno) = search_code(%s) LIMIT 20",
        "SELECT catno FROM release_labels WHERE catno IS NOT NULL",
    ),
    "title, first 8 letters": (
        "SELECT id, title, artist FROM live_releases"
        " WHERE search_text(title) ^@ search_text(%s) ORDER BY search_text(title) LIMIT 20",
        "SELECT left(title, 8) FROM releases WHERE title IS NOT NULL",
    ),
    "artist, first 6 letters": (
        "SELECT id, name FROM live_artists"
        " WHERE search_text(name) ^@ search_text(%s) ORDER BY search_text(name) LIMIT 20",
        "SELECT left(name, 6) FROM artists WHERE name IS NOT NULL",
    ),
    "words of a title": (
        "SELECT id, title, artist FROM live_releases"
        " WHERE search_words(title) @@ plainto_tsquery('simple', %s) LIMIT 20",
        "SELECT title FROM releases WHERE title IS NOT NULL",
    ),
    "words of a track": (
        "SELECT release_id, title FROM release_tracks"
        " WHERE search_words(title) @@ plainto_tsquery('simple', %s) LIMIT 20",
        "SELECT title FROM release_tracks WHERE title IS NOT NULL",
    ),
}


def measure(releases: int, data: Path, runs: int) -> dict[str, Any]:
    """The figures of every variant, as medians of the runs, and of the searches.

    :raises StepFailed: when a step fails.
    """
    plan = bench.Plan(releases, data=data)
    folder = bench.dumps(plan, log)
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    with started(None) as (server, _):
        for number in range(runs):
            for name, environment in VARIANTS.items():
                log(f"{name}, run {number + 1} of {runs}")
                taken[name].append(_load(server, folder, environment))
                if name == "search indexes" and number == runs - 1:
                    searches = _search(server.database("options"))
                server.drop("options")
        log("building the search indexes of a loaded database")
        _load(server, folder, {})
        settings = Settings()
        connect = connector(server.database("options"), settings.schema)
        built = build_search(connect, settings.schema, KeySettings.of(settings))
        about = server.about()
    return {
        "releases": releases,
        "runs": runs,
        "postgresql": about,
        "variants": {
            name: {key: statistics.median(run[key] for run in found) for key in found[0]}
            for name, found in taken.items()
        },
        "build_seconds": round(built.seconds, 2),
        "searches": searches,
    }


def _load(server: Server, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Load both months into the database ``options``; seconds of releases, and bytes."""
    dsn = server.create("options")
    os.environ.update(environment)
    try:
        step("migrate", dsn=dsn)
        schema = Settings.from_environment().schema
        if Settings.from_environment().search:
            settings = Settings()
            build_search(connector(dsn, schema), schema, KeySettings.of(settings))
        figures: dict[str, Any] = {}
        for name, month in (("first load", bench.FIRST_MONTH), ("update", bench.NEXT_MONTH)):
            step("load", dsn=dsn, folder=folder, month=month, entities=_ENTITIES[:-1])
            server.settle()
            _, answer = step("load", dsn=dsn, folder=folder, month=month, entities=_ENTITIES[-1:])
            report = answer["reports"]["releases"]
            figures[f"{name}, s"] = round(report["seconds"], 2)
            figures[f"{name}, s of it merge"] = round(report["merge_seconds"], 2)
        with psycopg.connect(dsn) as conn:
            row = conn.execute(
                "SELECT sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint,"
                " pg_total_relation_size(to_regclass(%s))"
                " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(%s)",
                [f"{schema}.entity_changes", schema],
            ).fetchone()
        assert row is not None
        figures |= dict(zip(("tables, MB", "indexes, MB", "change feed, MB"), row, strict=True))
        return {k: round(v / 1e6, 1) if k.endswith("MB") else v for k, v in figures.items()}
    finally:
        for name in environment:
            del os.environ[name]


def _search(dsn: str, queries: int = 300) -> dict[str, dict[str, float]]:
    """Milliseconds of each search for values that are there, warm, over a local socket."""
    schema, chosen = Settings().schema, random.Random(1)
    found = {}
    with psycopg.connect(dsn, options=f"-c search_path={schema}", autocommit=True) as conn:
        conn.execute(f"ANALYZE {schema}.releases")
        for name, (query, source) in SEARCHES.items():
            values = [str(value) for (value,) in conn.execute(f"{source} LIMIT 200000".encode())]
            times = []
            for value in [chosen.choice(values) for _ in range(queries)]:
                began = time.perf_counter()
                conn.execute(query.encode(), [value], prepare=False).fetchall()
                times.append((time.perf_counter() - began) * 1000)
            ordered = sorted(times)
            found[name] = {
                "median": round(statistics.median(ordered), 2),
                "95 %": round(ordered[int(len(ordered) * 0.95)], 2),
                "most": round(ordered[-1], 2),
            }
    return found


def show(report: dict[str, Any]) -> None:
    """Print the figures."""
    console = Console(highlight=False, width=120)
    names = list(report["variants"])
    table = Table(title=f"{report['releases']:,} releases", title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for key in report["variants"][names[0]]:
        table.add_row(key, *(f"{report['variants'][name][key]:,}" for name in names))
    console.print(table)
    seconds = report["build_seconds"]
    console.print(f"Building the search indexes of the loaded database took {seconds} s.")
    table = Table(title="One search, ms", title_justify="left")
    table.add_column("")
    for key in ("median", "95 %", "most"):
        table.add_column(key, justify="right")
    for name, found in report["searches"].items():
        table.add_row(name, *(f"{value:.2f}" for value in found.values()))
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """:returns: the exit code: 0, or 1 when a step failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.options",
        description="Measure what the search indexes and the old values cost a load, and how fast"
        " the searches are.",
    )
    parser.add_argument("--releases", type=int, default=100_000, metavar="N")
    parser.add_argument(
        "--runs", type=int, default=1, metavar="K", help="runs of each way of loading"
    )
    command.add_folders(parser)
    args = parser.parse_args(arguments)

    def work() -> None:
        report = measure(args.releases, args.data, args.runs)
        command.write(args.results, f"options-{args.releases}", report)
        show(report)

    return command.exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
