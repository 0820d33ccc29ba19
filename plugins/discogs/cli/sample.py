"""``sample``: write months of synthetic dumps."""

from __future__ import annotations

import argparse
from pathlib import Path

from discogs.cli.options import Usage, month, whole
from discogs.cli.progress import Bars


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder to write to")
    parser.add_argument(
        "--month", type=month, required=True, metavar="YYYY-MM", help="the first month"
    )
    parser.add_argument(
        "--months",
        type=whole(1, 1200),
        default=1,
        metavar="K",
        help="number of months (default: 1)",
    )
    parser.add_argument(
        "--releases",
        type=whole(1, 100_000_000),
        default=1000,
        metavar="N",
        help="releases in the first month; other entities in proportion (default: 1000)",
    )
    parser.add_argument(
        "--seed",
        type=whole(0, 2**63 - 1),
        default=1,
        metavar="S",
        help="the same seed gives the same files (default: 1)",
    )
    parser.add_argument(
        "--era",
        choices=["2020", "2026"],
        default="2026",
        help="format of the dumps: 2020 is that before December 2024 (default: 2026)",
    )


def run(args: argparse.Namespace) -> int:
    from discogs.sample.generator import write_months

    with Bars("records") as bars:
        try:
            paths = write_months(
                args.folder,
                args.month,
                args.months,
                args.releases,
                args.seed,
                args.era,
                on_progress=bars.update,
            )
        except ValueError as error:
            raise Usage(str(error)) from error
    for path in paths:
        print(path)
    return 0
