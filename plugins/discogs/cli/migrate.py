"""``migrate``: create the tables, or bring them up to date."""

from __future__ import annotations

import argparse

from discogs.cli.options import add_database, database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.database.migrations import available, migrate

    dsn, settings = database(args)
    connect = connector(dsn, settings.schema, application_name="discogs migrate")
    applied = migrate(connect, settings.schema)
    for migration in applied:
        print(f"applied {migration.version:04d}_{migration.name} ({migration.seconds:.2f} s)")
    newest = available()[-1]
    print(f"schema {settings.schema} is up to date, at {newest.version:04d}_{newest.name}")
    return 0
