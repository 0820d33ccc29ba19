"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from discogs.errors import InvalidMonth
from discogs.schema.entities import Month
from discogs.settings import Settings

DSN_VARIABLE = "DISCOGS_DSN"


class Usage(Exception):
    """A command was called wrongly, in a way that argparse cannot see."""


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


def add_database(parser: argparse.ArgumentParser) -> None:
    """``--dsn`` and ``--schema``."""
    parser.add_argument(
        "--dsn",
        help="the database, as postgresql://user:password@host:5432/database; by default"
        f" {DSN_VARIABLE} from the environment, where a password is safer",
    )
    parser.add_argument(
        "--schema", help="the schema of all tables; by default DISCOGS_SCHEMA, or discogs"
    )


def database(args: argparse.Namespace) -> tuple[str, Settings]:
    """The DSN and the settings that a call asks for.

    :raises Usage: when no database is named.
    :raises InvalidSetting: when a variable or ``--schema`` holds what it does not take.
    """
    dsn = args.dsn or os.environ.get(DSN_VARIABLE)
    if not dsn:
        raise Usage(f"no database: give --dsn, or set {DSN_VARIABLE}")
    environment = dict(os.environ)
    if args.schema:
        environment["DISCOGS_SCHEMA"] = args.schema
    return dsn, Settings.from_environment(environment)
