"""Options of the dump server, and the server that they choose."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from discogs.schema.entities import ENTITIES, Entity
from discogs.settings import Settings

if TYPE_CHECKING:
    from discogs.dumps.source import DumpSource


def add_server(parser: argparse.ArgumentParser) -> None:
    """``--from``, ``--layout`` and ``--entities``."""
    parser.add_argument(
        "--from",
        dest="server",
        default="https://data.discogs.com",
        metavar="URL",
        help="the server's address (default: https://data.discogs.com)",
    )
    parser.add_argument(
        "--layout",
        choices=["data.discogs.com", "s3"],
        default="data.discogs.com",
        help="layout of the server's addresses (default: data.discogs.com)",
    )
    parser.add_argument(
        "--entities",
        nargs="+",
        type=Entity,
        choices=ENTITIES,
        default=list(ENTITIES),
        metavar="NAME",
        help=f"one or more of {', '.join(ENTITIES)} (default: all)",
    )


@contextmanager
def server(args: argparse.Namespace, settings: Settings) -> Iterator[DumpSource]:
    """The server of a call; its login is read from ``.netrc``.

    :raises AddressInvalid: when ``--from`` is not an HTTP address.
    """
    from discogs.dumps.source import DumpSource, make_session

    with make_session(settings.user_agent) as session:
        yield DumpSource(session, args.server, args.layout)
