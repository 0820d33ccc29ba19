"""``mirror``: serve a folder of dumps over HTTP as Discogs does."""

from __future__ import annotations

import argparse
from pathlib import Path

from discogs.cli.options import positive, whole

_NAMES = ("labels", "artists", "masters", "releases", "CHECKSUM")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with the dumps")
    parser.add_argument(
        "--port",
        type=whole(0, 65535),
        required=True,
        metavar="P",
        help="port to listen on; 0 chooses a free port and prints it",
    )
    parser.add_argument(
        "--layout",
        choices=["data.discogs.com", "s3"],
        default="data.discogs.com",
        help="the server to imitate (default: data.discogs.com)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--tls", action="store_true", help="serve HTTPS and HTTP/2, with a generated certificate"
    )
    parser.add_argument(
        "--certificate",
        type=Path,
        default=Path("discogs-mirror.pem"),
        metavar="FILE",
        help="the file that --tls writes certificate and key to, for clients' REQUESTS_CA_BUNDLE"
        " (default: discogs-mirror.pem)",
    )
    faults = parser.add_argument_group("faults", "Simulated faults of real servers, for tests.")
    faults.add_argument(
        "--cut-after", type=positive, metavar="SECONDS", help="cut transfers after this time"
    )
    faults.add_argument(
        "--cut-http1-only",
        action="store_true",
        help="with --cut-after: do not cut transfers over HTTP/2",
    )
    faults.add_argument(
        "--ignore-range", action="store_true", help="answer Range requests with the whole file"
    )
    faults.add_argument(
        "--rate",
        type=positive,
        metavar="MB",
        help="limit of each transfer, in megabytes per second",
    )
    faults.add_argument(
        "--requests",
        type=whole(1, 10**6),
        metavar="N",
        help="requests allowed in six minutes; then status 429 until an hour after the last one",
    )
    faults.add_argument(
        "--publish",
        nargs="+",
        choices=_NAMES,
        default=[],
        metavar="NAME",
        help=f"publish these files one after another, in this order, of {', '.join(_NAMES)}",
    )
    faults.add_argument(
        "--publish-every",
        type=positive,
        default=10.0,
        metavar="SECONDS",
        help="time between two files (default: 10)",
    )


def run(args: argparse.Namespace) -> int:
    from discogs.sample.exchange import Behaviour
    from discogs.sample.mirror import Mirror, serve

    behaviour = Behaviour(
        cut_after=args.cut_after,
        cut_http1_only=args.cut_http1_only,
        ignore_range=args.ignore_range,
        rate=args.rate * 1e6 if args.rate else None,
        requests=args.requests,
        publish=args.publish,
        publish_every=args.publish_every,
    )
    certificate: Path | None = None
    if args.tls:
        from discogs.sample.secure import write_certificate

        certificate = args.certificate
        write_certificate(args.certificate, args.host)
        print(f"Clients trust it with REQUESTS_CA_BUNDLE={args.certificate.resolve()}")

    def ready(url: str) -> None:
        print(f"Serving {args.folder} at {url}", flush=True)

    mirror = Mirror(
        args.folder,
        args.layout,
        host=args.host,
        port=args.port,
        behaviour=behaviour,
        tls=certificate,
    )
    serve(mirror, on_ready=ready)
    return 0
