"""``python -m demo demo|up|down|airflow``: what the Makefile and ``demo/airflow`` call."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys

import psycopg
from rich.console import Console

from demo import run
from demo import stack as local
from demo.home import Home
from discogs.errors import DiscogsError

_ABOUT = {
    "demo": "load two generated months through a real scheduler",
    "up": "start Airflow against the real addresses, with the DAG paused",
    "down": "stop what demo or up started",
    "airflow": "run one of Airflow's own commands for what demo or up started",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in _ABOUT.items():
        command = commands.add_parser(name, help=about, description=about)
        if name in ("demo", "up"):
            command.add_argument(
                "--port",
                type=_port,
                default=os.environ.get("PORT") or "8080",
                help="port of Airflow's UI (default: PORT, or 8080)",
            )
    given = sys.argv[1:] if arguments is None else arguments
    # Airflow parses its own options.
    chosen, rest = parser.parse_args(given[:1] if given[:1] == ["airflow"] else given), given[1:]
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    console, home = Console(), Home.from_environment()
    try:
        if chosen.command == "airflow":
            local.run_airflow(home, rest)
        with home.lock():
            if chosen.command == "down":
                run.down(home, console)
            elif chosen.command == "up":
                run.up(home, chosen.port, console)
            else:
                return 0 if run.demo(home, chosen.port, console) else 1
    except (DiscogsError, OSError, psycopg.Error) as error:  # such as: no space left on device
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = f". The demo needs 2 GB in {home.folder}: DISCOGS_HOME sets another folder"
        sys.stderr.write(f"error: {error}{advice if full else ''}\n")
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
