"""The numbered migrations in ``include/sql/migrations``, each applied once, in order."""

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
from discogs.database.schemas import create_schemas
from discogs.database.sql_files import folder as sql_folder
from discogs.database.views import write_views
from discogs.settings import Settings

log = logging.getLogger(__name__)

#: The tables, views and types that a migration creates.
_CREATES = re.compile(r"^CREATE (?:TABLE|VIEW|TYPE) (\w+)", re.MULTILINE)


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
        """SHA-256 of the text with LF line endings, whatever line endings git has checked out."""
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


@dataclass(frozen=True)
class AppliedMigration:
    """A migration that this call applied."""

    version: int
    name: str
    seconds: float


def available(folder: Path | None = None) -> list[Migration]:
    """The package's migrations in order.

    :raises MigrationError: when a file is misnamed, two have the same number, or there are none.
    """
    folder = folder if folder is not None else sql_folder() / "migrations"
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"([0-9]{4})_([a-z0-9_]+)\.sql", path.name)
        if match is None:
            raise MigrationError(f"{path} is not named like a migration: NNNN_name.sql")
        migration = Migration(int(match[1]), match[2], path.read_bytes().decode("utf-8"))
        if migration.version in found:
            other = found[migration.version].file_name
            raise MigrationError(
                f"{path.name} and {other} have the same number: renumber one of them."
            )
        found[migration.version] = migration
    if not found:
        raise MigrationError(f"{folder} has no migrations: is include/ beside plugins/?")
    return list(found.values())


def migrate(connect: Connect, schema: str, folder: Path | None = None) -> list[AppliedMigration]:
    """Bring a schema up to date; does nothing when it is.

    Each file runs in its own transaction, with the schema as search path, so files before one that
    fails remain applied. Concurrent calls wait for one another.

    :param folder: the migrations; the package's own by default.
    :returns: the migrations that were applied, oldest first.
    :raises MigrationError: when a file fails or was edited after it was applied, naming it; when a
        newer version of the package has migrated the database; and, before anything is created,
        when the role lacks a right or another application has tables in the schema.
    """
    migrations = available(folder)
    with connect() as conn, advisory_lock(conn, f"migrations:{schema}"):
        conn.autocommit = True  # so that conn.transaction() begins a transaction, not a savepoint
        _prepare(conn, schema, migrations)
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


def _prepare(conn: Connection, schema: str, migrations: list[Migration]) -> None:
    """Create the schemas and the table of applied migrations.

    :raises MigrationError: before anything is created, when the role lacks a right or another
        application has tables in the schema.
    """
    with conn.transaction():
        create_schemas(conn, [schema, Settings(schema=schema).staging_schema])
        conn.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        columns = _columns(conn, schema)
        if not columns:
            taken = _taken(conn, schema, migrations)
        else:
            taken = [] if columns >= {"version", "name", "checksum"} else ["schema_migrations"]
        if taken:
            raise MigrationError(
                f"The schema {schema} already has {', '.join(taken)} of another application;"
                " nothing was created. Set DISCOGS_SCHEMA to a schema that no other application"
                " uses."
            )
        if not columns:
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


def _columns(conn: Connection, schema: str) -> set[str]:
    """The columns of the table of applied migrations; empty when there is no such table."""
    rows = conn.execute(
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = 'schema_migrations' AND a.attnum > 0",
        [schema],
    )
    return {name for (name,) in rows}


def _taken(conn: Connection, schema: str, migrations: list[Migration]) -> list[str]:
    """The names of tables, views and types of the migrations that the schema already has."""
    wanted = [name for migration in migrations for name in _CREATES.findall(migration.text)]
    rows = conn.execute(
        # Every table and view has a row type of its name.
        "SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
        " WHERE n.nspname = %s AND t.typname = ANY (%s) ORDER BY 1",
        [schema, wanted],
    )
    return [name for (name,) in rows]


def _applied(conn: Connection) -> dict[int, tuple[str, str]]:
    rows = conn.execute("SELECT version, name, checksum FROM schema_migrations").fetchall()
    return {version: (name, checksum) for version, name, checksum in rows}


def _compare(migrations: list[Migration], done: dict[int, tuple[str, str]]) -> None:
    known = {migration.version: migration for migration in migrations}
    unknown = [f"{v:04d}_{name}.sql" for v, (name, _) in sorted(done.items()) if v not in known]
    if unknown:
        raise MigrationError(
            f"The database has migrations that this package lacks: {', '.join(unknown)}."
            " A newer version of the package has migrated it: upgrade the package here."
        )
    changed = [
        known[version].file_name
        for version, (_, checksum) in sorted(done.items())
        if known[version].checksum != checksum
    ]
    if changed:
        raise MigrationError(
            f"Migrations were changed after they were applied: {', '.join(changed)}. Restore the"
            " old text, and write the change as a new migration."
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
        raise  # not caused by the migration's text
    except psycopg.Error as error:
        raise MigrationError(f"Migration {migration.file_name} failed: {error}") from error
    return AppliedMigration(migration.version, migration.name, seconds)


def _clock(conn: Connection) -> float:
    row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    return float(row[0])
