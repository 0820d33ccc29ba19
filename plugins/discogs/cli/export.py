"""``export``: write a month from a folder of dump files as Parquet, without a database."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from discogs.cli.options import month, whole
from discogs.cli.progress import Bars
from discogs.schema.entities import ENTITIES, Entity

if TYPE_CHECKING:
    from discogs.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="holds discogs_YYYYMMDD_*.xml.gz"
    )
    parser.add_argument("--month", type=month, required=True, metavar="YYYY-MM", help="which month")
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="a folder, or an address of an object store such as s3://bucket/prefix; gets"
        " TABLE/dump_month=YYYY-MM/part-0000.parquet for each table, and _manifest/YYYY-MM.json"
        " when the month is whole",
    )
    parser.add_argument(
        "--entities",
        nargs="+",
        type=Entity,
        choices=ENTITIES,
        metavar="NAME",
        help=f"which of {', '.join(ENTITIES)} (default: those whose files are there)",
    )
    parser.add_argument(
        "--engine", choices=["fast", "careful"], help="the parser; by default DISCOGS_ENGINE"
    )
    parser.add_argument(
        "--shards",
        type=whole(1, 64),
        metavar="N",
        help="write so many parts, one after the other; by default DISCOGS_SHARDS",
    )
    parser.add_argument(
        "--filter",
        action="append",
        metavar="ENTITY:FIELD=VALUE",
        help="export only records that fulfil it, such as 'releases:country=Germany|Austria'; may"
        " be repeated; by default DISCOGS_FILTER",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the month if it is exported already"
    )
    parser.add_argument(
        "--allow-shrink",
        action="store_true",
        help="accept a dump that has far fewer records than the exported month before it, or none",
    )


def run(args: argparse.Namespace) -> int:
    from discogs.load.export import export_month
    from discogs.schema.filters import Filter
    from discogs.settings import Settings

    settings = Settings.from_environment()
    if args.engine:
        settings = replace(settings, engine=args.engine)
    if args.shards:
        settings = replace(settings, shards=args.shards)
    if args.filter is not None:
        settings = replace(settings, filter=str(Filter.parse("; ".join(args.filter))))
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
