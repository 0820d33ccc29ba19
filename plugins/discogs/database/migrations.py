"""The numbered migrations of ``include/sql/migrations``: each applied once, in order."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from discogs.database.comments import write_comments
from discogs.database.connection import Connect, Connection
from discogs.database.errors import MigrationError
from discogs.database.locking import advisory_lock
from discogs.database.sql_files import folder as sql_folder
from discogs.database.views import write_views
from discogs.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Migration:
    """One file: ``0001_tracking.sql`` has version 1 and the name ``tracking``."""

    version: int
    name: str
    text: str

    @property
    def file_name(self) -> str:
        return f"{self.version:04d}_{self.name}.sql"

    @property
    def checksum(self) -> str:
        """SHA-256 of the text; ends of lines as git may change them do not count."""
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


@dataclass(frozen=True)
class AppliedMigration:
    """A migration that this call applied."""

    version: int
    name: str
    seconds: float


def available(folder: Path | None = None) -> list[Migration]:
    """The package's migrations in order.

    :raises MigrationError: when a file is misnamed or two have one number.
    """
    folder = folder if folder is not None else sql_folder() / "migrations"
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"([0-9]{4})_([a-z0-9_]+)\.sql", path.name)
        if match is None:
            raise MigrationError(f"{path} is not named as a migration: NNNN_name.sql")
        migration = Migration(int(match[1]), match[2], path.read_bytes().decode("utf-8"))
        if migration.version in found:
            other = found[migration.version].file_name
            raise MigrationError(f"{path.name} and {other} have one number: renumber one of them.")
        found[migration.version] = migration
    if not found:
        raise MigrationError(f"{folder} holds no migrations: is include/ beside plugins/?")
    return list(found.values())


def migrate(connect: Connect, schema: str, folder: Path | None = None) -> list[AppliedMigration]:
    """Bring a schema up to date; one that is up to date stays as it is.

    Each file runs in a transaction of its own, with the schema as its search path, so a file
    that fails leaves those before it applied. Callers at the same time wait for each other.

    :param folder: the migrations; the package's own by default.
    :returns: what was applied, oldest first.
    :raises MigrationError: when a file fails or was edited after it was applied, naming it, or
        when the database is ahead of the package.
    """
    migrations = available(folder)
    with connect() as conn, advisory_lock(conn, f"migrations:{schema}"):
        conn.autocommit = True  # so that each conn.transaction() below is one, and no savepoint
        _create_schemas(conn, schema)
        done = _applied(conn)
        _compare(migrations, done)
        applied = []
        for migration in migrations:
            if migration.version not in done:
                applied.append(_apply(conn, migration))
        with conn.transaction():
            write_views(conn, schema)
            write_comments(conn, schema)
    return applied


def _create_schemas(conn: Connection, schema: str) -> None:
    # Asked first: a user without CREATE on the database may work in schemas made by a DBA.
    with conn.transaction():
        for name in (schema, Settings(schema=schema).staging_schema):
            exists = conn.execute("SELECT FROM pg_namespace WHERE nspname = %s", [name]).fetchone()
            if exists is None:
                conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        conn.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        if conn.execute("SELECT to_regclass('schema_migrations') IS NULL").fetchone() == (True,):
            conn.execute(
                "CREATE TABLE schema_migrations ("
                " version int PRIMARY KEY,"
                " name text NOT NULL,"
                " checksum text NOT NULL,"
                " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
            )
            conn.execute(
                "COMMENT ON TABLE schema_migrations IS"
                " 'The files of include/sql/migrations that were applied, with their SHA-256'"
            )


def _applied(conn: Connection) -> dict[int, tuple[str, str]]:
    rows = conn.execute("SELECT version, name, checksum FROM schema_migrations").fetchall()
    return {version: (name, checksum) for version, name, checksum in rows}


def _compare(migrations: list[Migration], done: dict[int, tuple[str, str]]) -> None:
    known = {migration.version: migration for migration in migrations}
    unknown = [f"{v:04d}_{name}.sql" for v, (name, _) in sorted(done.items()) if v not in known]
    if unknown:
        raise MigrationError(
            f"The database has migrations that this package lacks: {', '.join(unknown)}."
            " It was migrated by a newer version: upgrade the package."
        )
    changed = [
        known[version].file_name
        for version, (_, checksum) in sorted(done.items())
        if known[version].checksum != checksum
    ]
    if changed:
        raise MigrationError(
            f"Applied migrations were changed since: {', '.join(changed)}. Restore the old text,"
            " and write the change as a new migration."
        )


def _apply(conn: Connection, migration: Migration) -> AppliedMigration:
    log.info("Applying migration %s", migration.file_name)
    try:
        with conn.transaction():
            started = _clock(conn)
            conn.execute(migration.text.encode())
            conn.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                [migration.version, migration.name, migration.checksum],
            )
            seconds = _clock(conn) - started
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege):
        raise  # says nothing about the file
    except psycopg.Error as error:
        raise MigrationError(f"Migration {migration.file_name} failed: {error}") from error
    return AppliedMigration(migration.version, migration.name, seconds)


def _clock(conn: Connection) -> float:
    row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    return float(row[0])
