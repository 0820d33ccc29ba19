"""``plan``: estimate the load of a month, by one request and without downloading anything."""

from __future__ import annotations

import argparse
import os

from discogs.cli import options
from discogs.cli.servers import add_server, server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--month", type=options.month, required=True, metavar="YYYY-MM", help="the month to load"
    )
    add_server(parser)
    parser.add_argument(
        "--storage",
        metavar="FOLDER",
        help="the folder for the files (default: DISCOGS_STORAGE)",
    )
    options.add_database(parser)


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.dumps.storage import DumpStorage
    from discogs.load.estimate import estimate
    from discogs.settings import Settings

    connect = None
    settings = Settings.from_environment()
    if args.dsn or os.environ.get(options.DSN_VARIABLE):
        dsn, settings = options.database(args)
        connect = connector(dsn, settings.schema)
    storage = DumpStorage(args.storage or settings.storage, margin=settings.disk_margin)
    with server(args, settings) as source:
        dump = source.find(args.month, args.entities)
    print("\n".join(estimate(dump, storage, connect).lines()))
    return 0
