"""``mirror``: serve a folder of dumps over HTTP as Discogs does."""

from __future__ import annotations

import argparse
from pathlib import Path

from discogs.cli.options import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the dumps, side by side")
    parser.add_argument(
        "--port",
        type=whole(0, 65535),
        required=True,
        metavar="P",
        help="where it listens; 0 takes a free one and prints it",
    )
    parser.add_argument(
        "--layout",
        choices=["data.discogs.com", "s3"],
        default="data.discogs.com",
        help="whose addresses and manners it has (default: data.discogs.com)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="the address (default: 127.0.0.1)"
    )


def run(args: argparse.Namespace) -> int:
    from discogs.sample.mirror import serve

    def ready(url: str) -> None:
        print(f"Serving {args.folder} at {url}", flush=True)

    serve(args.folder, args.port, args.layout, host=args.host, on_ready=ready)
    return 0
