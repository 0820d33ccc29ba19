"""The command line: one module per command, imported when the command is called.

A command's module has ``add_arguments(parser)`` and ``run(args)``, which returns the exit code:
0 done, 1 failed. Errors that a user can cause are raised: a :class:`~discogs.errors.DiscogsError`
is printed and ends with exit code 1, a :class:`~discogs.cli.options.Usage` with 2. Slow imports
belong in ``run``.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    module: str
    about: str


COMMANDS: dict[str, Command] = {
    "load": Command("discogs.cli.load", "load a month from a folder of dump files"),
    "export": Command("discogs.cli.export", "write a month as Parquet, without a database"),
    "fetch": Command("discogs.cli.fetch", "download and verify a month's files, without Airflow"),
    "plan": Command("discogs.cli.plan", "estimate a load: files, disk space and duration"),
    "migrate": Command("discogs.cli.migrate", "create the tables, or bring them up to date"),
    "grant": Command("discogs.cli.grant", "grant a role read access to the tables"),
    "status": Command("discogs.cli.status", "show the status of each month"),
    "sample": Command("discogs.cli.sample", "write months of synthetic dumps"),
    "mirror": Command("discogs.cli.mirror", "serve a folder of dumps over HTTP as Discogs does"),
}
