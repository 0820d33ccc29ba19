"""``fetch``: download and verify a month's files into a folder, without Airflow."""

from __future__ import annotations

import argparse
from pathlib import Path

from discogs.cli import options
from discogs.cli.servers import add_server, server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="the folder to put the files into"
    )
    parser.add_argument(
        "--month", type=options.month, required=True, metavar="YYYY-MM", help="the month to fetch"
    )
    add_server(parser)


def run(args: argparse.Namespace) -> int:
    from discogs.cli.progress import Bars
    from discogs.dumps.fetch import fetch_month
    from discogs.dumps.storage import DumpStorage
    from discogs.progress import Progress
    from discogs.settings import Settings

    settings = Settings.from_environment()
    storage = DumpStorage(args.folder, margin=settings.disk_margin)
    with server(args, settings) as source, Bars("bytes") as bars:

        def show(progress: Progress) -> None:
            bars.update(progress.name, progress.done, progress.total)

        for report in fetch_month(source, args.month, storage, args.entities, on_progress=show):
            how = "already there" if report.already_there else f"{report.seconds:.1f} s"
            print(f"{report.name}  {report.size:,} bytes  SHA-256 verified  {how}", flush=True)
    return 0
