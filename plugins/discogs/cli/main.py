"""Parses the arguments, runs a command, and returns its exit code."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from discogs import __version__
from discogs.cli import COMMANDS
from discogs.cli.options import Usage
from discogs.errors import DiscogsError
from discogs.settings import without_effect

log = logging.getLogger(__name__)

DONE, FAILED, WRONG_USAGE = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

_LEVELS = [logging.WARNING, logging.INFO, logging.DEBUG]


class _Terminated(KeyboardInterrupt):
    """SIGTERM. A KeyboardInterrupt, since psycopg cancels the running statement on one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: the arguments; default: those of the process.
    :returns: the exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Only the command that is called is imported.
    called = [argument for argument in arguments if argument in COMMANDS][:1]
    parser = build_parser(called)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as end:  # help, version, wrong usage
        return int(end.code or 0)
    logging.basicConfig(
        level=_LEVELS[min(args.verbose, len(_LEVELS) - 1)],
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        with _sigterm():
            for line in without_effect():
                _say(line)
            code = int(args.run(args))
            sys.stdout.flush()
            return code
    except Usage as error:
        _say(f"{error} (see {parser.prog} {args.command} --help)")
        return WRONG_USAGE
    except _Terminated:
        _say("terminated")
        return TERMINATED
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe; without this, Python reports an error when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        log.debug("The error in full", exc_info=True)
        _say(message)
        return FAILED


def build_parser(commands: Collection[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser of the command line.

    :param commands: the commands whose arguments are added; the others are only listed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m discogs",
        description="Discogs' monthly data dumps in PostgreSQL.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="log progress; twice: debug messages, too",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        about = f"{command.about[0].upper()}{command.about[1:]}."
        subparser = subparsers.add_parser(name, help=command.about, description=about)
        if name in commands:
            module = importlib.import_module(command.module)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _message(error: Exception) -> str | None:
    """The message of an error that a user can cause; None for a bug."""
    if isinstance(error, DiscogsError):
        return str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}" if error.strerror else str(error)
    if "psycopg" in sys.modules:
        import psycopg

        if isinstance(error, psycopg.Error):
            from discogs.database.connection import explain

            return str(explain(error))
    return None


def _say(text: str) -> None:
    print(f"discogs: {text}", file=sys.stderr)


@contextmanager
def _sigterm() -> Iterator[None]:
    """Raise an exception on SIGTERM, as on Ctrl-C: transactions end, `.part` files stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
