"""``python -m demo up|demo|down``: what the Makefile calls."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from rich.console import Console

from demo import run
from demo.home import Home
from discogs.errors import DiscogsError

_ABOUT = {
    "demo": "load two generated months through a real scheduler",
    "up": "start Airflow against the real addresses, with the DAG paused",
    "down": "stop what demo or up started",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in _ABOUT.items():
        command = commands.add_parser(name, help=about, description=about)
        if name != "down":
            command.add_argument(
                "--port",
                type=_port,
                default=os.environ.get("PORT") or "8080",
                help="of Airflow's page; PORT, else 8080",
            )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    console, home = Console(), Home.from_environment()
    try:
        with home.lock():
            if chosen.command == "down":
                run.down(home, console)
            elif chosen.command == "up":
                run.up(home, chosen.port, console)
            else:
                return 0 if run.demo(home, chosen.port, console) else 1
    except (DiscogsError, TimeoutError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; make down stops what is running\n")
        return 130
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
