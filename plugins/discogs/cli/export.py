"""``export``: write a month from a folder of dump files as Parquet, without a database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from discogs.cli.options import add_dump, dump_settings
from discogs.cli.progress import Bars
from discogs.schema.entities import ENTITIES, Entity

if TYPE_CHECKING:
    from discogs.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dump(parser, "export")
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="a folder, or an address of an object store such as s3://bucket/prefix; the export"
        " writes TABLE/dump_month=YYYY-MM/part-0000.parquet for each table and, at the end,"
        " _manifest/YYYY-MM.json",
    )
    parser.add_argument(
        "--entities",
        nargs="+",
        type=Entity,
        choices=ENTITIES,
        metavar="NAME",
        help=f"one or more of {', '.join(ENTITIES)} (default: those whose files are in FOLDER)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the month if it was already exported"
    )
    parser.add_argument(
        "--allow-shrink",
        action="store_true",
        help="accept a dump that has no records, or far fewer than the previous exported month",
    )


def run(args: argparse.Namespace) -> int:
    from discogs.load.export import export_month
    from discogs.settings import Settings

    settings = dump_settings(args, Settings.from_environment())
    with Bars("bytes") as bars:

        def show(progress: Progress) -> None:
            bars.update(f"{progress.step} {progress.name}", progress.done, progress.total)

        report = export_month(
            args.folder,
            args.month,
            args.out,
            settings,
            entities=args.entities,
            overwrite=args.overwrite,
            allow_shrink=args.allow_shrink,
            on_progress=show,
        )
    for entity, found in report.entities.items():
        print(f"{entity}: {found}")
    print(report)
    return 0
