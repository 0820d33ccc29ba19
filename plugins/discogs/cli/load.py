"""``load``: load a month from a folder of dump files, without Airflow."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from discogs.cli.options import add_database, database, month, whole
from discogs.cli.progress import Bars
from discogs.errors import StorageError

if TYPE_CHECKING:
    from discogs.progress import Progress


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
        "--filter",
        action="append",
        metavar="ENTITY:FIELD=VALUE",
        help="load only records that fulfil it, such as 'releases:country=Germany|Austria'; may be"
        " repeated; by default DISCOGS_FILTER",
    )
    parser.add_argument(
        "--allow-shrink",
        action="store_true",
        help="accept a dump that has far fewer records than the month before it, or none",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write the month's report as JSON"
    )


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.load.folder import load_folder
    from discogs.schema.filters import Filter
    from discogs.tracking.report import LOG_WIDTH

    dsn, settings = database(args)
    if args.engine:
        settings = replace(settings, engine=args.engine)
    if args.shards:
        settings = replace(settings, shards=args.shards)
    if args.filter is not None:
        settings = replace(settings, filter=str(Filter.parse("; ".join(args.filter))))
    if args.report is not None and not args.report.parent.is_dir():
        raise StorageError(f"The report cannot be written: {args.report.parent} is not a folder.")
    connect = connector(dsn, settings.schema, application_name=f"discogs load {args.month}")
    with Bars("bytes") as bars:

        def show(progress: Progress) -> None:
            name = f"{progress.step} {progress.name}"
            bars.update(name, progress.done, progress.total, progress.unit)

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
    # A table cut at the edge of a narrow terminal would hide its numbers.
    report.print(width=max(shutil.get_terminal_size().columns, LOG_WIDTH))
    print(f"{report.month} is completed.")
    return 0
