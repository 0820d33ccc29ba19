"""Options that name a server of dumps, and the server that they name."""

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
        help="how it addresses its files (default: data.discogs.com)",
    )
    parser.add_argument(
        "--entities",
        nargs="+",
        type=Entity,
        choices=ENTITIES,
        default=list(ENTITIES),
        metavar="NAME",
        help=f"which of {', '.join(ENTITIES)} (default: all)",
    )


@contextmanager
def server(args: argparse.Namespace, settings: Settings) -> Iterator[DumpSource]:
    """The server that a call names; a login for it is read from ``.netrc``.

    :raises AddressInvalid: when ``--from`` is no HTTP address.
    """
    from discogs.dumps.source import DumpSource, make_session

    with make_session(settings.user_agent) as session:
        yield DumpSource(session, args.server, args.layout)
