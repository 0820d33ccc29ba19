"""``load``: load a month from a folder of dump files, without Airflow."""

from __future__ import annotations

import argparse
import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from discogs.cli.options import add_database, database, month, whole
from discogs.cli.progress import Bars
from discogs.errors import StorageError

if TYPE_CHECKING:
    from discogs.load.folder import MonthReport
    from discogs.progress import Progress

_WIDTH = 124


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="holds discogs_YYYYMMDD_*.xml.gz"
    )
    parser.add_argument("--month", type=month, required=True, metavar="YYYY-MM", help="which month")
    add_database(parser)
    parser.add_argument(
        "--engine", choices=["fast", "careful"], help="the parser; by default DISCOGS_ENGINE"
    )
    parser.add_argument(
        "--shards",
        type=whole(1, 64),
        metavar="N",
        help="stage in so many parts, one after the other; by default DISCOGS_SHARDS",
    )
    parser.add_argument(
        "--allow-shrink",
        action="store_true",
        help="take a dump that has far fewer records than the month before it",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write what was done as JSON"
    )


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.load.folder import load_folder

    dsn, settings = database(args)
    if args.engine:
        settings = replace(settings, engine=args.engine)
    if args.shards:
        settings = replace(settings, shards=args.shards)
    if args.report is not None and not args.report.parent.is_dir():
        raise StorageError(f"The report cannot be written: {args.report.parent} is not a folder.")
    connect = connector(dsn, settings.schema, application_name=f"discogs load {args.month}")
    with Bars("bytes") as bars:

        def show(progress: Progress) -> None:
            bars.update(progress.name, progress.bytes_done, progress.total)

        report = load_folder(
            connect,
            args.folder,
            args.month,
            settings,
            run_id=f"{socket.gethostname()}:{os.getpid()}",
            allow_shrink=args.allow_shrink,
            on_progress=show,
        )
    if args.report is not None:
        try:
            args.report.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
        except OSError as error:
            raise StorageError(f"The report cannot be written to {args.report}: {error}.") from None
    _print(report)
    return 0


def _print(report: MonthReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("entity", title=f"Discogs {report.month}", title_justify="left")
    counts = ("read", "unchanged", "inserted", "updated", "restored", "removed", "rejected", "rows")
    for name in (*counts, "seconds", "records/s"):
        table.add_column(name, justify="right")
    for entity in report.entities:
        values = [f"{getattr(entity, name):,}" for name in counts]
        rate = entity.read / entity.seconds if entity.seconds else 0
        table.add_row(entity.entity, *values, f"{entity.seconds:.1f}", f"{rate:,.0f}")
    console = Console()
    # A table cut at the edge of a narrow terminal would hide its numbers.
    console.width = max(console.width, _WIDTH)
    console.print(table)
    console.print(f"{report.month} is completed, in {report.seconds:.1f} s.")
