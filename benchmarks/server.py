"""The PostgreSQL server that all steps load into: its databases and its processor time."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from demo import embedded


@dataclass(frozen=True)
class Server:
    """An embedded server with its default settings."""

    dsn: str
    process: psutil.Process

    def database(self, name: str) -> str:
        """The DSN of a database."""
        return embedded.with_database(self.dsn, name)

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database as a copy of another; returns its DSN."""
        self._run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return self.database(name)

    def rename(self, name: str, to: str) -> None:
        self._run(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(name), sql.Identifier(to)
            )
        )

    def drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def settle(self) -> None:
        """Write out what earlier steps left in memory, which would slow the next step."""
        self.idle()
        self._run(sql.SQL("CHECKPOINT"))
        os.sync()

    def idle(self) -> None:
        """Wait until the processes of all clients have ended, and count in the processor time."""
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type IN ('client backend', 'parallel worker')"
            " AND pid <> pg_backend_pid()"
        )
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for _ in range(200):
                row = conn.execute(query).fetchone()
                if row is not None and row[0] == 0:
                    break
                time.sleep(0.02)
        time.sleep(0.05)

    def cpu_seconds(self) -> float:
        """Processor time of all processes of the server so far, including those that have ended."""
        own = self.process.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self.process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
        return float(total)

    def about(self) -> dict[str, Any]:
        """The version, the main settings, and those that the embedded server changes."""
        with psycopg.connect(self.dsn) as conn:
            version = conn.execute("SHOW server_version").fetchone()
            main = conn.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name IN"
                " ('shared_buffers', 'max_wal_size', 'work_mem', 'fsync', 'synchronous_commit',"
                " 'wal_level', 'autovacuum') ORDER BY name"
            ).fetchall()
            changed = conn.execute(
                "SELECT name, current_setting(name) FROM pg_settings"
                " WHERE source = 'configuration file' AND sourcefile LIKE '%discogs.conf'"
                " ORDER BY name"
            ).fetchall()
        return {
            "version": version[0] if version else "",
            "settings": dict(main),
            "changed_settings": dict(changed),
        }

    def content(self, database: str, schema: str, tables: list[str] | None) -> dict[str, Any]:
        """Rows, keys, indexes and size of some tables, or of all tables of a schema."""
        with psycopg.connect(self.database(database)) as conn:
            found = conn.execute(
                "SELECT c.oid, c.relname, pg_total_relation_size(c.oid) FROM pg_class c"
                " WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r'"
                " AND (%s::text[] IS NULL OR c.relname = ANY (%s)) ORDER BY c.relname",
                [schema, tables, tables],
            ).fetchall()
            oids = [oid for oid, _, _ in found]
            rows = {}
            for _, name, _ in found:
                query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
                row = conn.execute(query).fetchone()
                rows[name] = int(row[0]) if row else 0
            keys = conn.execute(
                "SELECT count(*) FILTER (WHERE contype = 'p'),"
                " count(*) FILTER (WHERE contype = 'f')"
                " FROM pg_constraint WHERE conrelid = ANY (%s)",
                [oids],
            ).fetchone() or (0, 0)
            indexes = conn.execute(
                "SELECT count(*) FROM pg_index WHERE indrelid = ANY (%s)", [oids]
            ).fetchone() or (0,)
        return {
            "tables": len(found),
            "rows": sum(rows.values()),
            "primary_keys": keys[0],
            "foreign_keys": keys[1],
            "indexes": indexes[0],
            "bytes": sum(size for _, _, size in found),
            "rows_of": rows,
        }

    def _run(self, command: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(command)


@contextlib.contextmanager
def started(parent: Path | None) -> Iterator[tuple[Server, Path]]:
    """A server in a temporary folder, and a folder for the files of steps; both are deleted.

    :param parent: folder for both; default: the system's temporary folder.
    """
    home = Path(tempfile.mkdtemp(prefix="discogs-bench-", dir=parent))
    home.chmod(0o755)
    data = home / "data"
    try:
        dsn = embedded.start(data)
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        files = home / "files"
        files.mkdir()
        yield Server(dsn, psutil.Process(pid)), files
    finally:
        embedded.stop(data)
        shutil.rmtree(home, ignore_errors=True)
