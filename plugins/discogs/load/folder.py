"""Loading a month from a folder of dump files, start to end, without Airflow."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psycopg

from discogs.database.connection import Connect, Connection
from discogs.database.errors import DatabaseUnavailable
from discogs.database.locking import advisory_lock
from discogs.database.migrations import migrate
from discogs.dumps import checksums
from discogs.dumps.names import DumpName
from discogs.dumps.storage import DumpStorage
from discogs.dumps.verify import digest
from discogs.errors import (
    ChecksFailed,
    DiscogsError,
    DumpFilesMissing,
    FileDiffers,
    StagingStale,
)
from discogs.load.checks import CheckResult, run_checks
from discogs.load.merge import EntityReport, merge
from discogs.load.options import COMMAND, month_lock
from discogs.load.stage import SIZES, Sizes, StageReport, stage
from discogs.progress import OnProgress
from discogs.schema.entities import Entity, Month
from discogs.settings import Settings
from discogs.tracking import model as tracking
from discogs.tracking import reconciliation
from discogs.tracking.postgres import PostgresMonthRepository

log = logging.getLogger(__name__)

#: How many seconds a load waits for another of the same month: a killed one is soon gone.
_LOCK_SECONDS = 5


@dataclass(frozen=True)
class MonthReport:
    """What one load of a month did, entity by entity, and what the checks found."""

    month: str
    entities: tuple[EntityReport, ...]
    checks: tuple[CheckResult, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "month": self.month,
            "seconds": self.seconds,
            "entities": {report.entity: report.as_dict() for report in self.entities},
            "checks": [check.as_dict() for check in self.checks],
        }


def find_files(folder: Path, month: Month) -> dict[Entity, Path]:
    """The month's dump files in a folder; of several days, the latest of each entity.

    :raises DumpFilesMissing: when there is no such folder, or none of the month's files in it.
    """
    if not folder.is_dir():
        raise DumpFilesMissing(f"{folder} is not a folder.")
    found: dict[Entity, Path] = {}
    for path in sorted(folder.iterdir()):
        name = DumpName.parse(path.name)
        if name is not None and name.month == month and name.entity is not None:
            found[name.entity] = path
    if not found:
        expected = f"discogs_{month.year}{month.month:02d}DD_releases.xml.gz"
        raise DumpFilesMissing(
            f"{folder} holds no dump of {month}: expected files named like {expected}."
        )
    return {entity: found[entity] for entity in Entity if entity in found}


def stage_shards(
    connect: Connect,
    open_dump: Callable[[], BinaryIO],
    *,
    name: str,
    entity: Entity,
    month: Month,
    settings: Settings,
    total_bytes: int | None = None,
    on_progress: OnProgress | None = None,
    sizes: Sizes = SIZES,
) -> list[StageReport]:
    """Stage every shard of an entity, one behind the other."""
    reports = []
    for shard in range(settings.shards):
        with open_dump() as packed:
            reports.append(
                stage(
                    connect,
                    packed,
                    name=name,
                    entity=entity,
                    month=month,
                    settings=settings,
                    shard=shard,
                    shards=settings.shards,
                    total_bytes=total_bytes,
                    on_progress=on_progress,
                    sizes=sizes,
                )
            )
    return reports


def merge_again(
    connect: Connect,
    open_dump: Callable[[], BinaryIO],
    *,
    name: str,
    entity: Entity,
    month: Month,
    settings: Settings,
    allow_shrink: bool = False,
) -> EntityReport:
    """Merge an entity; when another month came between, stage it again first."""
    try:
        return merge(
            connect, entity=entity, month=month, settings=settings, allow_shrink=allow_shrink
        )
    except StagingStale as stale:
        log.info("%s It is done here.", stale)
    stage_shards(connect, open_dump, name=name, entity=entity, month=month, settings=settings)
    return merge(connect, entity=entity, month=month, settings=settings, allow_shrink=allow_shrink)


def load_folder(
    connect: Connect,
    folder: Path,
    month: Month,
    settings: Settings,
    *,
    run_id: str,
    allow_shrink: bool = False,
    on_progress: OnProgress | None = None,
    sizes: Sizes = SIZES,
) -> MonthReport:
    """Migrate, verify, stage and merge whatever files of a month a folder holds.

    Nothing is merged before every file is staged whole, so a broken file leaves the tables as
    they were. The month's tracking row tells how it went.

    :param run_id: signs the tracking row.
    :raises DiscogsError: for whatever stops the load; the row is ``failed`` then.
    """
    files = find_files(folder, month)
    migrate(connect, settings.schema)
    repository = PostgresMonthRepository(connect)
    run = tracking.RunIdentity(dag_id=COMMAND, run_id=run_id)
    key = month_lock(settings.schema, month)
    with connect() as conn, advisory_lock(conn, key, wait=_LOCK_SECONDS):
        _claim(repository, month, run)
        try:
            report = _load(
                connect,
                repository,
                folder,
                files,
                month,
                settings,
                run,
                allow_shrink,
                on_progress,
                sizes,
                lambda: _still_ours(conn, month),
            )
        except (DiscogsError, KeyboardInterrupt) as error:
            _record_failure(repository, month, run, str(error) or "The load was stopped.")
            raise
    return report


def _load(
    connect: Connect,
    repository: PostgresMonthRepository,
    folder: Path,
    files: dict[Entity, Path],
    month: Month,
    settings: Settings,
    run: tracking.RunIdentity,
    allow_shrink: bool,
    on_progress: OnProgress | None,
    sizes: Sizes,
    check_lock: Callable[[], None],
) -> MonthReport:
    started = time.monotonic()
    _verify(repository, folder, month, files)
    repository.move(month, tracking.Status.READY_FOR_PROCESSING, run=run)
    repository.move(month, tracking.Status.PROCESSING, run=run)
    for entity, path in files.items():
        check_lock()
        stage_shards(
            connect,
            _opener(path),
            name=path.name,
            entity=entity,
            month=month,
            settings=settings,
            total_bytes=path.stat().st_size,
            on_progress=on_progress,
            sizes=sizes,
        )
    reports = []
    for entity, path in files.items():
        check_lock()
        report = merge_again(
            connect,
            _opener(path),
            name=path.name,
            entity=entity,
            month=month,
            settings=settings,
            allow_shrink=allow_shrink,
        )
        repository.record_entity_stats(month, entity, report.as_dict())
        reports.append(report)
    checks = run_checks(connect, month, settings, allow_shrink=allow_shrink)
    failed = [str(check) for check in checks if not check.passed]
    if failed:
        raise ChecksFailed(month, failed)
    repository.move(month, tracking.Status.COMPLETED, run=run)
    seconds = round(time.monotonic() - started, 3)
    return MonthReport(str(month), tuple(reports), tuple(checks), seconds)


def _claim(repository: PostgresMonthRepository, month: Month, run: tracking.RunIdentity) -> None:
    """Take the month, also from an earlier command: the lock that it held is ours now.

    :raises MonthTaken: when an Airflow run is at it.
    """
    record = repository.ensure(month)
    if record.status.at_work and record.run is not None and record.run.dag_id == COMMAND:
        reconciliation.record_failure(repository, month, record.run, "The load was killed.")
    repository.move(month, tracking.Status.DOWNLOADING, run=run)


def _still_ours(conn: Connection, month: Month) -> None:
    """Make sure that the month's lock is held, so that no other load of the month runs.

    :raises DatabaseUnavailable: when its connection is lost, and the lock with it.
    """
    try:
        conn.execute("SELECT")
        conn.commit()
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            f"The load of {month} has lost its connection to PostgreSQL, and with it the lock that"
            " keeps others from the month. It goes no further; run it again."
        ) from error


def _record_failure(
    repository: PostgresMonthRepository, month: Month, run: tracking.RunIdentity, message: str
) -> None:
    try:
        repository.move(month, tracking.Status.FAILED, run=run, error_message=message)
    except DiscogsError as error:
        # The database may be what failed; the first error is the one to tell.
        log.warning("The failure could not be noted in the tracking row: %s", error)


def _opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


def _verify(
    repository: PostgresMonthRepository, folder: Path, month: Month, files: dict[Entity, Path]
) -> None:
    """Compare the files with the CHECKSUM.txt beside them, where there is one."""
    storage = DumpStorage(folder)
    for path in sorted(folder.iterdir()):
        name = DumpName.parse(path.name)
        if name is None or name.month != month or name.entity is not None:
            continue
        published = checksums.parse(path.name, path.read_bytes())
        repository.record_published(month, name.day, published)
        for file in files.values():
            expected = published.get(file.name)
            if expected is None:
                continue
            actual, size = digest(storage, file.name)
            if actual != expected:
                raise FileDiffers(file.name, path.name, expected, actual)
            now = dt.datetime.now(dt.timezone.utc)
            noted = tracking.FileChecksum(expected, actual, size, now)
            repository.record_checksums(month, {file.name: noted})
