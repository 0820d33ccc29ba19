"""``status``: each month's status, and a health check by its exit code."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

from discogs.cli.options import add_database, database

if TYPE_CHECKING:
    from discogs.tracking.reconciliation import Late
    from discogs.tracking.report import MonthReport


#: Number of months in the table, which fit on a screen.
_SHOWN = 18


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 no problem; 1 a month failed or is stuck, or the newest one is late"
        " (DISCOGS_LATE_AFTER_DAYS); 2 wrong usage. Nothing is late in a database that holds"
        " only past months."
    )
    add_database(parser)
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.load.stuck import stuck
    from discogs.tracking import reconciliation
    from discogs.tracking.model import Status
    from discogs.tracking.postgres import PostgresMonthRepository
    from discogs.tracking.report import MonthReport

    dsn, settings = database(args)
    connect = connector(dsn, settings.schema, application_name="discogs status")
    repository = PostgresMonthRepository(connect)
    records = repository.all()
    now = dt.datetime.now(dt.timezone.utc)
    late = reconciliation.late(records, now.date(), settings.late_after_days)
    reports = [MonthReport.of(record, repository.files(record.month)) for record in records]
    stuck_loads = [stuck(connect, settings.schema, record, now=now) for record in records]
    problems = [
        f"{record.month} failed: {record.error_message}"
        for record in records
        if record.status is Status.FAILED
    ]
    problems += [str(each) for each in stuck_loads if each is not None]
    stuck_months = {each.month for each in stuck_loads if each is not None}
    if late is not None:
        problems.append(str(late))
    if args.json:
        print(_json(reports, problems, late))
    else:
        _table(reports)
        for report in reports:
            if report.waiting is not None and report.month not in stuck_months:
                print(f"{report.month}: {report.waiting}")
            for remark in report.remarks:
                print(f"{report.month} {remark}")
        sys.stdout.flush()
        for problem in problems:
            print(problem, file=sys.stderr)
    return 1 if problems else 0


def _json(reports: list[MonthReport], problems: list[str], late: Late | None) -> str:
    return json.dumps(
        {
            "healthy": not problems,
            "problems": problems,
            "late": str(late.month) if late is not None else None,
            "months": [report.as_dict() for report in reports],
        },
        indent=2,
    )


def _table(reports: list[MonthReport]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not reports:
        print("No month has been started yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("month", "status", "dump of", "completed (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("time", "read", "changed", "rejected", "failed attempts"):
        table.add_column(name, justify="right", no_wrap=True)
    earlier, newest = reports[:-_SHOWN], reports[-_SHOWN:]
    for report in newest:
        at = report.processing_completed_at
        seconds = report.seconds
        changed = [
            entity.total("inserted", "updated", "removed", "restored") for entity in report.entities
        ]
        table.add_row(
            str(report.month),
            "waiting" if report.waiting is not None else str(report.status),
            str(report.dump_date or ""),
            f"{at:%Y-%m-%d %H:%M}" if at is not None else "",
            str(dt.timedelta(seconds=round(seconds))) if seconds is not None else "",
            f"{sum(entity.total('read') for entity in report.entities):,}",
            f"{sum(changed):,}",
            f"{sum(entity.total('rejected') for entity in report.entities):,}",
            str(report.retry_count),
        )
    if earlier:
        counted = Counter(str(report.status) for report in earlier)
        states = ", ".join(f"{count} {status}" for status, count in counted.most_common())
        print(f"{len(earlier)} months up to {earlier[-1].month}: {states} (--json has them all)")
    # Lines are not wrapped in a pipe.
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
