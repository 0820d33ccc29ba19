"""``status``: where each month stands; a health check that ends 1 when something is wrong."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from typing import TYPE_CHECKING

from discogs.cli.options import add_database, database

if TYPE_CHECKING:
    from discogs.tracking.reconciliation import Late
    from discogs.tracking.report import MonthReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 all is well; 1 a month failed, or the newest one is late"
        " (DISCOGS_LATE_AFTER_DAYS); 2 wrong usage. Nothing is late in a database that holds"
        " only past months."
    )
    add_database(parser)
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    from discogs.database.connection import connector
    from discogs.tracking import reconciliation
    from discogs.tracking.model import Status
    from discogs.tracking.postgres import PostgresMonthRepository
    from discogs.tracking.report import MonthReport

    dsn, settings = database(args)
    repository = PostgresMonthRepository(
        connector(dsn, settings.schema, application_name="discogs status")
    )
    records = repository.all()
    today = dt.datetime.now(dt.timezone.utc).date()
    late = reconciliation.late(records, today, settings.late_after_days)
    reports = [MonthReport.of(record, repository.files(record.month)) for record in records]
    problems = [
        f"{record.month} failed: {record.error_message}"
        for record in records
        if record.status is Status.FAILED
    ]
    if late is not None:
        problems.append(str(late))
    if args.json:
        print(_json(reports, problems, late))
    else:
        _table(reports)
        for report in reports:
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
        print("No month was started yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("month", "status", "dump of", "completed (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("time", "read", "changed", "rejected", "failed attempts"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        at = report.processing_completed_at
        seconds = report.seconds
        changed = [
            entity.total("inserted", "updated", "removed", "restored") for entity in report.entities
        ]
        table.add_row(
            str(report.month),
            str(report.status),
            str(report.dump_date or ""),
            f"{at:%Y-%m-%d %H:%M}" if at is not None else "",
            str(dt.timedelta(seconds=round(seconds))) if seconds is not None else "",
            f"{sum(entity.total('read') for entity in report.entities):,}",
            f"{sum(changed):,}",
            f"{sum(entity.total('rejected') for entity in report.entities):,}",
            str(report.retry_count),
        )
    # A pipe gets whole lines, however long.
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
