"""The JSON API behind the page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from fastapi.responses import JSONResponse

from discogs.airflow.page import access
from discogs.airflow.runs import DAG_ID
from discogs.database.connection import Connect
from discogs.overview import feed, months, records
from discogs.overview.model import (
    Changes,
    FoundRecord,
    Kind,
    MonthDetail,
    MonthSummary,
    Progress,
    RecordHistory,
    Rejected,
    TableSize,
)
from discogs.schema.entities import Entity, Month
from discogs.tracking.postgres import PostgresMonthRepository
from discogs.tracking.report import MonthReport

_MONTH = "^2[0-9]{3}-(0[1-9]|1[0-2])$"
_ID = 2**31 - 1

YearMonth = Annotated[str, Path(pattern=_MONTH, description="YYYY-MM", examples=["2026-07"])]
RecordId = Annotated[int, Path(ge=1, le=_ID, description="Discogs' id of the record")]
Limit = Annotated[int, Query(ge=1, le=500, description="maximum number of rows")]


@dataclass(frozen=True, kw_only=True)
class Months:
    """The months, newest first.

    :param dag_id: the DAG that loads them.
    :param dags: all DAGs of this Airflow that load dumps, each into its own database or schema, and
        that the user may read.
    :param next: ``before`` of the next page.
    """

    dag_id: str
    dags: Sequence[str]
    now: dt.datetime
    months: Sequence[MonthSummary]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why there is no answer, and what to do.

    :param reason: for programs: ``unreachable``, ``not_migrated``, ``no_connection``,
        ``too_slow``, ``refused``; None for an error in the request.
    """

    detail: str
    reason: str | None = None


Target = Annotated[Connect, Depends(access.connect)]

api = APIRouter(
    responses={
        401: {"model": Problem, "description": "Not logged in"},
        403: {"model": Problem, "description": "No access to the DAG"},
        404: {"model": Problem, "description": "Unknown"},
        503: {"model": Problem, "description": "The database cannot be queried; the body says why"},
    }
)


@api.get("/months")
def list_months(
    connect: Target,
    dags: Annotated[list[str], Depends(access.readable_dags)],
    dag_id: access.DagId = DAG_ID,
    before: Annotated[str | None, Query(pattern=_MONTH, description="only months before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 120,
) -> Months:
    """Each month's status and what its load did, newest first."""
    found = months.months(connect, before=before, limit=limit + 1)
    page = found[:limit]
    return Months(
        dag_id=dag_id,
        dags=dags,
        now=dt.datetime.now(dt.timezone.utc),
        months=page,
        next=page[-1].year_month if len(found) > limit else None,
    )


@api.get("/progress")
def show_progress(connect: Target) -> Progress:
    """What is running now. A small query, which may be repeated every second."""
    return months.progress(connect)


@api.get("/months/{year_month}")
def show_month(connect: Target, year_month: YearMonth) -> MonthDetail:
    """One month: its files, the steps of its load, its checks, counts of its rejected records."""
    found = months.month(connect, Month.parse(year_month))
    if found is None:
        raise _unknown_month(year_month)
    return found


@api.get("/months/{year_month}/report")
def download_report(connect: Target, year_month: YearMonth) -> JSONResponse:
    """The month's report as a file, as `status --json` and the task `complete` return it."""
    repository = PostgresMonthRepository(connect)
    month = Month.parse(year_month)
    record = repository.get(month)
    if record is None:
        raise _unknown_month(year_month)
    return JSONResponse(
        MonthReport.of(record, repository.files(month)).as_dict(),
        headers={"Content-Disposition": f'attachment; filename="discogs-{month}.json"'},
    )


@api.get("/months/{year_month}/changes")
def list_changes(
    connect: Target,
    year_month: YearMonth,
    entity: Entity | None = None,
    change: Kind | None = None,
    after: Annotated[
        str | None,
        Query(
            pattern=rf"^({'|'.join(map(str, Entity))})\.[0-9]{{1,9}}$",
            description="`next` of the previous page",
        ),
    ] = None,
    limit: Limit = 100,
) -> Changes:
    """The records that the month's load changed, by entity and id."""
    month = Month.parse(year_month)
    name, _, number = (after or "").partition(".")
    page = feed.changes(
        connect,
        month,
        entity=entity,
        change=change,
        after=(Entity(name), int(number)) if after else None,
        limit=limit,
    )
    if not page.changes and not months.exists(connect, month):
        raise _unknown_month(year_month)
    return page


@api.get("/months/{year_month}/rejected")
def list_rejected(
    connect: Target,
    year_month: YearMonth,
    entity: Entity | None = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next` of the previous page")] = 0,
    limit: Limit = 20,
) -> Rejected:
    """The rejected records of the month's dump, with the reason and the XML."""
    month = Month.parse(year_month)
    page = feed.rejected(connect, month, entity=entity, after=after, limit=limit)
    if not page.records and not months.exists(connect, month):
        raise _unknown_month(year_month)
    return page


@api.get("/records")
def search_records(
    connect: Target,
    entity: Entity,
    title: Annotated[
        str, Query(min_length=2, max_length=200, pattern=r"^[^\x00]*$", description="its beginning")
    ],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[FoundRecord]:
    """The records whose title, or name, starts with a text."""
    return records.search(connect, entity, title, limit=limit)


@api.get("/records/{entity}/{record_id}")
def show_record(connect: Target, entity: Entity, record_id: RecordId) -> RecordHistory:
    """When a record was added, changed, removed and restored, and its current rows."""
    found = records.history(connect, entity, record_id)
    if found is None:
        raise HTTPException(404, f"No loaded dump has a {entity.record} {record_id}.")
    return found


@api.get("/tables")
def list_tables(connect: Target) -> list[TableSize]:
    """Disk use of each table with its indexes, largest first."""
    return records.table_sizes(connect)


def _unknown_month(year_month: str) -> HTTPException:
    return HTTPException(404, f"There is no month {year_month}: no run has looked for it yet.")
