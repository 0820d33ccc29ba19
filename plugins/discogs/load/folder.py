"""Loading a month from a folder of dump files: the steps of a run in sequence, without Airflow."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from pathlib import Path

from discogs.database.connection import Connect
from discogs.database.keys import KeySettings
from discogs.database.migrations import migrate
from discogs.database.search import build_search
from discogs.errors import DiscogsError
from discogs.load.life import is_alive
from discogs.load.locks import COMMAND, holding_month
from discogs.load.options import RunOptions
from discogs.load.run import MonthRun
from discogs.load.source import FolderSource
from discogs.load.stage import SIZES, Sizes
from discogs.progress import OnProgress
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.errors import MonthTaken
from discogs.tracking.model import RunIdentity
from discogs.tracking.report import MonthReport

log = logging.getLogger(__name__)

#: Seconds to wait for another load of the same month; the lock of a killed one is released soon.
_LOCK_SECONDS = 5
#: Seconds to wait while an Airflow run has another month in processing.
TURN_SECONDS = 600.0
#: Seconds between two checks whether it still has.
_TURN_POLL_SECONDS = 2.0


def load_folder(
    connect: Connect,
    folder: Path,
    month: Month,
    settings: Settings,
    *,
    run_id: str,
    allow_shrink: bool = False,
    turn_seconds: float = TURN_SECONDS,
    on_progress: OnProgress | None = None,
    sizes: Sizes = SIZES,
) -> MonthReport:
    """Migrate the database, then load a month's files from a folder, even if they are loaded.

    Nothing is merged before all files are staged, so a damaged file leaves the tables unchanged.
    The files are not changed.

    :param run_id: names this load in the month's row.
    :param turn_seconds: how long to wait while an Airflow run has another month in processing;
        another command is waited for without limit.
    :param sizes: the buffer sizes of staging.
    :raises DiscogsError: when the load fails; the month's row becomes ``failed``.
    :raises MonthTaken: when an Airflow run works on the month, or still has another month in
        processing after ``turn_seconds``.
    """
    source = FolderSource(folder)
    entities = tuple(source.find(month).by_entity)
    migrate(connect, settings.schema)
    if settings.search:
        build_search(connect, settings.schema, KeySettings.of(settings))

    run = MonthRun(
        connect=connect,
        settings=settings,
        options=RunOptions(
            month=month,
            entities=entities,
            shards=settings.shards,
            allow_shrink=allow_shrink,
            force=True,
        ),
        identity=RunIdentity(COMMAND, run_id),
        since=dt.datetime.now(dt.timezone.utc),
        is_alive=lambda record: is_alive(connect, settings.schema, record, held=month),
        sizes=sizes,
    )
    with holding_month(connect, settings.schema, month, wait=_LOCK_SECONDS) as still_held:
        run.claim()
        try:
            planned = run.plan(source)
            for file in planned:
                run.fetch(source, file, on_progress)
                run.verify(source, file)
            run.ready(planned)
            _wait_for_turn(run, turn_seconds)
            for file in planned:
                for shard in range(settings.shards):
                    still_held()
                    run.stage(source.storage, file, shard, on_progress)
            run.check_staged(planned)
            for file in planned:
                still_held()
                run.merge(source.storage, file, on_progress)
            run.check()
            report = run.complete()
        except (DiscogsError, KeyboardInterrupt) as error:
            _fail(run, str(error) or "The load was stopped.")
            raise
        run.discard_staging()
    return report


def _wait_for_turn(run: MonthRun, seconds: float) -> None:
    started, last = time.monotonic(), None
    while (other := run.take_turn()) is not None:
        # A command that has ended no longer holds its month's lock; an Airflow may be switched off.
        command = other.run is not None and other.run.dag_id == COMMAND
        left = math.inf if command else started + seconds - time.monotonic()
        if left <= 0:
            raise MonthTaken(other.month, str(other.status), str(other.run))
        if other.run != last:
            limit = "" if command else f"up to {seconds:.0f} s "
            log.warning(
                "%s is being processed by %s: waiting %sfor it to end.",
                other.month,
                other.run,
                limit,
            )
        last = other.run
        time.sleep(min(_TURN_POLL_SECONDS, left))


def _fail(run: MonthRun, message: str) -> None:
    try:
        run.fail(message)
    except DiscogsError as error:
        # Called while another error is raised, whose cause may be that the database is down.
        log.warning("The failure could not be recorded in the month's row: %s", error)
