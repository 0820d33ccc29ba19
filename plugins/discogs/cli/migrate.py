"""``migrate``: create the tables, or bring them up to date."""

from __future__ import annotations

import argparse

from discogs.cli.options import add_database, database

#: Other loaders whose table names --compat provides; the keys of ``database.compat.SCHEMAS``.
COMPAT = ("discogs-xml2db",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database(parser)
    parser.add_argument(
        "--search",
        action=argparse.BooleanOptionalAction,
        help="also build missing search indexes, or drop all of them (default: DISCOGS_SEARCH,"
        " which drops none)",
    )
    parser.add_argument(
        "--compat",
        choices=list(COMPAT),
        help="also create or replace views with the table names of another loader, in a separate"
        " schema",
    )


def run(args: argparse.Namespace) -> int:
    from discogs.database.compat import write_compat
    from discogs.database.connection import connector
    from discogs.database.keys import KeySettings
    from discogs.database.migrations import available, migrate
    from discogs.database.search import build_search, drop_search

    dsn, settings = database(args)
    connect = connector(dsn, settings.schema, application_name="discogs migrate")
    applied = migrate(connect, settings.schema)
    for migration in applied:
        print(f"applied {migration.version:04d}_{migration.name} ({migration.seconds:.2f} s)")
    if args.search or (settings.search and args.search is None):
        built = build_search(connect, settings.schema, KeySettings.of(settings))
        if built.indexes:
            print(f"built {len(built.indexes)} search indexes ({built.seconds:.2f} s)")
        if built.lacking:
            print(f"no trigram indexes: {built.lacking}")
    elif args.search is False:
        dropped = drop_search(connect, settings.schema)
        print(f"dropped {len(dropped)} search indexes")
    if args.compat:
        compat = write_compat(connect, settings.schema, args.compat)
        print(f"the views of {args.compat} are in the schema {compat}")
    newest = available()[-1]
    print(f"schema {settings.schema} is up to date, at {newest.version:04d}_{newest.name}")
    return 0
