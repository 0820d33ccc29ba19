"""``grant``: grant a role read access to the tables."""

from __future__ import annotations

import argparse

from discogs.cli.options import add_database, database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="the role; created without login if missing")
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.database.roles import grant_read

    dsn, settings = database(args)
    connect = connector(dsn, settings.schema, application_name="discogs grant")
    created = grant_read(connect, settings.schema, args.role)
    print(f"{args.role} may read the schema {settings.schema} and tables created there later")
    if created:
        print(
            f"The role is new and cannot log in; grant it to users: GRANT {args.role} TO somebody;"
        )
    return 0
