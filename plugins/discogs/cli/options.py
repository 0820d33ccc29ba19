"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from discogs.errors import InvalidMonth
from discogs.schema.entities import Month
from discogs.schema.filters import Filter
from discogs.settings import Settings

DSN_VARIABLE = "DISCOGS_DSN"


class Usage(Exception):
    """A usage error that argparse cannot detect."""


def month(text: str) -> Month:
    """A month, for ``type=``."""
    try:
        return Month.parse(text)
    except InvalidMonth as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number in a range, for ``type=``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {low} to {high}."
            )
        return number

    return parse


def positive(text: str) -> float:
    """A number above 0, for ``type=``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0.")
    return number


def add_dump(parser: argparse.ArgumentParser, verb: str) -> None:
    """``FOLDER``, ``--month``, ``--engine``, ``--shards`` and ``--filter``.

    :param verb: what the command does with the dump, such as ``load``.
    """
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="the folder with discogs_YYYYMMDD_*.xml.gz"
    )
    parser.add_argument(
        "--month", type=month, required=True, metavar="YYYY-MM", help=f"the month to {verb}"
    )
    parser.add_argument(
        "--engine", choices=["fast", "careful"], help="the parser (default: DISCOGS_ENGINE)"
    )
    parser.add_argument(
        "--shards",
        type=whole(1, 64),
        metavar="N",
        help=f"{verb} each file in N parts, one after the other (default: DISCOGS_SHARDS)",
    )
    parser.add_argument(
        "--filter",
        action="append",
        metavar="ENTITY:FIELD=VALUE",
        help=f"{verb} only records that match, such as 'releases:country=Germany|Austria'; may be"
        " repeated (default: DISCOGS_FILTER)",
    )


def dump_settings(args: argparse.Namespace, settings: Settings) -> Settings:
    """The settings with ``--engine``, ``--shards`` and ``--filter``.

    :raises InvalidFilter: when a filter cannot be read.
    """
    if args.engine:
        settings = replace(settings, engine=args.engine)
    if args.shards:
        settings = replace(settings, shards=args.shards)
    if args.filter is not None:
        settings = replace(settings, filter=str(Filter.parse("; ".join(args.filter))))
    return settings


def add_database(parser: argparse.ArgumentParser) -> None:
    """``--dsn`` and ``--schema``."""
    parser.add_argument(
        "--dsn",
        help="the database, as postgresql://user:password@host:5432/database (default: the variable"
        f" {DSN_VARIABLE}, which is safer for a password)",
    )
    parser.add_argument(
        "--schema", help="the schema of all tables (default: DISCOGS_SCHEMA, or discogs)"
    )


def database(args: argparse.Namespace) -> tuple[str, Settings]:
    """The DSN and the settings of a call.

    :raises Usage: when no database is given.
    :raises InvalidSetting: when a variable or ``--schema`` has an invalid value.
    """
    dsn = args.dsn or os.environ.get(DSN_VARIABLE)
    if not dsn:
        raise Usage(f"no database: give --dsn, or set {DSN_VARIABLE}")
    environment = dict(os.environ)
    if args.schema:
        environment["DISCOGS_SCHEMA"] = args.schema
    return dsn, Settings.from_environment(environment)
