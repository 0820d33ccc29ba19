"""Take the screenshots of the Discogs page: ``python -m docs.screenshots``.

A year of sample months is loaded into a temporary PostgreSQL; one month has failed, one is being
loaded, and one waits for its dump. Needs Chromium.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from discogs.database.connection import Connect

IMAGES = Path(__file__).parent / "images"
FIRST, MONTHS, FAILED = "2025-11", 12, "2026-08"
AT_WORK, WAITING = "2026-11", "2026-12"
#: Name, address after #, theme, width in pixels, and maximum height.
PICTURES = (
    ("page-months-light", "", "light", 1300, 1250),
    ("page-months-dark", "", "dark", 1300, 1250),
    ("page-month-light", "/months/2026-10", "light", 1300, 1300),
    ("page-month-failed-dark", f"/months/{FAILED}", "dark", 1300, 1000),
    ("page-record-light", "/records/releases/RECORD", "light", 1300, 1000),
    ("page-months-narrow", "", "light", 390, 1100),
    ("page-months-narrow-dark", "", "dark", 390, 1100),
)


def main() -> None:
    from docs.page import CHROMIUM

    if not Path(CHROMIUM).exists():
        sys.exit(f"{CHROMIUM} is not there: apt-get install chromium")
    home = Path(tempfile.mkdtemp(prefix="discogs-page-", dir="/tmp"))
    home.chmod(0o755)  # for PostgreSQL, which runs as another user
    os.environ.update(AIRFLOW_HOME=str(home / "airflow"), AIRFLOW__CORE__LOAD_EXAMPLES="False")
    from demo import embedded
    from discogs.database.connection import connector

    try:
        dsn = embedded.start(home / "data", settings={"fsync": "off"})
        connect = connector(dsn, "discogs")
        load_months(connect, home / "dumps")
        fail_one(connect, home / "refused")
        name_runs(connect)
        add_running_month(connect)
        have_one_waited_for(connect)
        take(dsn, changed_release(connect))
    finally:
        embedded.stop(home / "data")
        shutil.rmtree(home)


def load_months(connect: Connect, folder: Path) -> None:
    from discogs.database.migrations import migrate
    from discogs.load.folder import load_folder
    from discogs.sample.generator import write_months
    from discogs.schema.entities import Month
    from discogs.settings import Settings

    folder.mkdir()
    first = Month.parse(FIRST)
    write_months(folder, first, months=MONTHS, releases=1500, seed=11)
    migrate(connect, "discogs")
    for number in range(MONTHS):
        month = first.plus(number)
        if str(month) != FAILED:
            load_folder(connect, folder, month, Settings(), run_id=f"{month}")


def fail_one(connect: Connect, folder: Path) -> None:
    """Make a month fail: its dump has only half of the records."""
    from discogs.errors import DiscogsError
    from discogs.load.folder import load_folder
    from discogs.sample.generator import write_months
    from discogs.schema.entities import Month
    from discogs.settings import Settings

    folder.mkdir()
    month = Month.parse(FAILED)
    write_months(folder, month, releases=700, seed=11)
    with contextlib.suppress(DiscogsError):
        load_folder(connect, folder, month, Settings(), run_id=str(month))
    with connect() as conn:
        for number in (412, 419, 426):
            conn.execute(
                "INSERT INTO rejected_records (year_month, entity, byte_offset, record_id, reason,"
                " xml) VALUES (%s, 'releases', %s, %s, 'mismatched tag: line 1, column 218', %s)",
                [FAILED, 253 * number, number, f'<release id="{number}"><title>Nights</titel>'],
            )
        conn.commit()


def name_runs(connect: Connect) -> None:
    """Name the runs as the scheduler does."""
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing SET dag_id = 'discogs_monthly',"
            " run_id = 'scheduled__' || year_month,"
            " error_message = 'merge.check_staged: ' || error_message"
        )
        conn.commit()


def add_running_month(connect: Connect) -> None:
    from discogs.schema.entities import Entity, Month
    from discogs.tracking.model import FileState, RunIdentity, Status
    from discogs.tracking.postgres import PostgresMonthRepository

    repository, month = PostgresMonthRepository(connect), Month.parse(AT_WORK)
    run = RunIdentity("discogs_monthly", f"scheduled__{month}")
    repository.claim(month, run)
    repository.record_published(month, month.first_day, {})
    sizes = (91_200_000, 498_800_000, 629_700_000, 11_300_000_000)  # of a month of 2026
    packed = dict(zip(Entity, sizes, strict=True))
    for entity, size in packed.items():
        name = f"discogs_{month.first_day:%Y%m%d}_{entity}.xml.gz"
        for state in (FileState.DOWNLOADING, FileState.VERIFIED):
            repository.record_file(month, name, state=state, size=size, bytes_done=size)
    repository.move(month, Status.READY_FOR_PROCESSING, run=run)
    repository.move(month, Status.PROCESSING, run=run)
    steps = (
        # entity, step, shard, shards, share done, records, detail, seconds since start, ended
        ("labels", "stage", 0, 1, 1.0, 2_425_120, None, 520, True),
        ("artists", "stage", 0, 1, 1.0, 10_243_377, None, 520, True),
        ("masters", "stage", 0, 1, 0.81, 2_102_884, "2,088,003 unchanged, 14,881 changed", 240, 0),
        ("releases", "stage", 0, 2, 0.46, 4_312_077, "4,266,190 unchanged, 45,887 changed", 240, 0),
        ("releases", "stage", 1, 2, 0.44, 4_301_444, "4,255,001 unchanged, 46,443 changed", 240, 0),
    )
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing SET started_at = now() - interval '21 min'"
            " WHERE year_month = %s",
            [str(month)],
        )
        conn.execute(
            "UPDATE discogs_data_processing_files SET started_at = now() - interval '20 min',"
            " completed_at = now() - interval '9 min' WHERE year_month = %s",
            [str(month)],
        )
        for name, step, shard, shards, done, records, detail, age, ended in steps:
            total = packed[Entity(name)]
            conn.execute(
                "INSERT INTO load_steps SELECT %s, %s, %s, %s, %s, %s, %s, 'bytes', %s, %s,"
                " now() - make_interval(secs => %s), now(),"
                " CASE WHEN %s THEN now() - interval '4 min' END",
                [
                    *(str(month), name, step, shard, shards, int(done * total), total),
                    *(records, detail, age, bool(ended)),
                ],
            )
        conn.commit()


def have_one_waited_for(connect: Connect) -> None:
    from discogs.schema.entities import Month
    from discogs.tracking.model import RunIdentity, Waiting, WaitReason
    from discogs.tracking.postgres import PostgresMonthRepository

    PostgresMonthRepository(connect).ensure(Month.parse(WAITING))
    now = dt.datetime.now(dt.timezone.utc)
    waiting = Waiting(
        reason=WaitReason.NOT_PUBLISHED,
        message=f"data.discogs.com lists no dump of {WAITING} yet.",
        since=now - dt.timedelta(hours=3, minutes=12),
        next_look_at=now + dt.timedelta(minutes=17),
        gives_up_at=now + dt.timedelta(hours=16, minutes=48),
        run=RunIdentity("discogs_monthly", f"scheduled__{WAITING}"),
    )
    with connect() as conn:
        conn.execute(
            "UPDATE discogs_data_processing SET waiting = %s WHERE year_month = %s",
            [Jsonb(waiting.as_dict()), WAITING],
        )
        conn.commit()


def changed_release(connect: Connect) -> int:
    """The id of the release that changed most often."""
    with connect() as conn:
        row = conn.execute(
            "SELECT id FROM entity_changes WHERE entity = 'releases' GROUP BY id"
            " ORDER BY count(*) DESC, id LIMIT 1"
        ).fetchone()
    assert row is not None
    return int(row[0])


def take(dsn: str, record: int) -> None:
    from playwright.sync_api import sync_playwright

    from docs.page import CHROMIUM, environment, served

    os.environ.update(environment(dsn))
    IMAGES.mkdir(exist_ok=True)
    with served(dsn) as page, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, address, theme, width, height in PICTURES:
            with page.context(browser, theme=theme, width=width) as context:
                shown = context.new_page()
                shown.goto(f"{page.url}#{address.replace('RECORD', str(record))}")
                shown.wait_for_selector("main h1")
                shown.wait_for_timeout(400)  # until the charts are drawn
                path = IMAGES / f"{name}.png"
                clip = {"x": 0, "y": 0, "width": width, "height": height}
                shown.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
                print(path)
        browser.close()


if __name__ == "__main__":
    main()
