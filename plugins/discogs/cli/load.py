"""``load``: load a month from a folder of dump files, without Airflow."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from discogs.cli.options import add_database, add_dump, database, dump_settings
from discogs.cli.progress import Bars
from discogs.errors import StorageError

if TYPE_CHECKING:
    from discogs.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dump(parser, "load")
    add_database(parser)
    parser.add_argument(
        "--allow-shrink",
        action="store_true",
        help="accept a dump that has no records, or far fewer than the previous month",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write the month's report as JSON"
    )


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.load.folder import load_folder
    from discogs.tracking.report import LOG_WIDTH

    dsn, settings = database(args)
    settings = dump_settings(args, settings)
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
    # At the width of a narrow terminal the table would lose its numbers.
    report.print(width=max(shutil.get_terminal_size().columns, LOG_WIDTH))
    print(f"{report.month} is completed.")
    return 0
