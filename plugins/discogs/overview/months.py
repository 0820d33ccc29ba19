"""The months: all, one in detail, and the progress of running loads."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg.rows import DictRow

from discogs.database.connection import Connect
from discogs.overview.model import (
    Check,
    DumpFile,
    EntityMonth,
    MonthDetail,
    MonthProgress,
    MonthSummary,
    Progress,
    Step,
    StepProgress,
)
from discogs.overview.reading import reading
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import AT_WORK, FileState, Status
from discogs.tracking.report import EntityReport, MonthReport
from discogs.tracking.rows import month_record

# A month's row with its loads, shards and files; a month has only a few of each.
_MONTHS = """
SELECT
    {columns},
    (
        SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.generation), '[]')
        FROM entity_loads l WHERE l.year_month = m.year_month
    ) AS loads,
    (
        SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.shard), '[]')
        FROM staged_shards s WHERE s.year_month = m.year_month
    ) AS shards,
    (
        SELECT coalesce(jsonb_agg({file} ORDER BY f.file_name), '[]')
        FROM discogs_data_processing_files f WHERE f.year_month = m.year_month
    ) AS files
FROM discogs_data_processing m
"""
# The list needs neither the digests nor the statistics of the entities, which the loads have too.
_LISTED = (
    "m.id, m.year_month, m.status, m.dump_date, m.retry_count, m.error_message, m.dag_id,"
    " m.run_id, m.airflow, m.alive_until, m.waiting, m.created_at, m.updated_at, m.started_at,"
    " m.download_completed_at, m.processing_completed_at, '{}'::jsonb AS file_checksums,"
    " '{}'::jsonb AS processing_stats, '[]'::jsonb AS checks"
)
_SIZE = "jsonb_build_object('size', f.size)"
_LIST = (
    _MONTHS.replace("{columns}", _LISTED).replace("{file}", _SIZE)
    + " WHERE %(before)s::text IS NULL OR m.year_month < %(before)s"
    + " ORDER BY m.year_month DESC LIMIT %(limit)s"
)
_ONE = (
    _MONTHS.replace("{columns}", "m.*").replace("{file}", "to_jsonb(f)")
    + " WHERE m.year_month = %(year_month)s"
)

_EXISTS = "SELECT FROM discogs_data_processing WHERE year_month = %s"

_REJECTED = """
SELECT entity, count(*) AS records FROM rejected_records
WHERE year_month = %(year_month)s GROUP BY entity
"""

_STEPS = "SELECT * FROM load_progress WHERE year_month = %(year_month)s"

_PROGRESS = """
SELECT
    clock_timestamp() AS now,
    (SELECT max(updated_at) FROM discogs_data_processing) AS changed_at,
    (
        SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.year_month DESC), '[]')
        FROM (
            SELECT year_month, status, started_at, alive_until FROM discogs_data_processing
            WHERE status = ANY(%(at_work)s::processing_status[])
        ) m
    ) AS months,
    (
        SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.started_at, p.entity, p.shard), '[]')
        FROM load_progress p
        JOIN discogs_data_processing m USING (year_month)
        WHERE m.status = ANY(%(at_work)s::processing_status[])
    ) AS steps
"""

# The task at the start of an error message: "merge.releases: …", "download [releases]: …".
_TASK = re.compile(r"([a-z_]+(?:\.[a-z_]+)?)(?: \[[^\]]{1,60}\])?: ")


def months(connect: Connect, *, before: str | None = None, limit: int) -> list[MonthSummary]:
    """The months, newest first.

    :param before: only months before this one.
    """
    with reading(connect) as cursor:
        rows = cursor.execute(_LIST, {"before": before, "limit": limit}).fetchall()
    return [MonthSummary(**_summary(row)) for row in rows]


def month(connect: Connect, year_month: Month) -> MonthDetail | None:
    """One month; None when it has no row."""
    values = {"year_month": str(year_month)}
    with reading(connect) as cursor:
        row = cursor.execute(_ONE, values).fetchone()
        if row is None:
            return None
        rejected = cursor.execute(_REJECTED, values).fetchall()
        running = cursor.execute(_STEPS, values).fetchall()
    summary = _summary(row)
    files = [_file(file, row["file_checksums"]) for file in row["files"]]
    return MonthDetail(
        **summary,
        files=files,
        checks=[Check(**check) for check in row["checks"]],
        steps=_steps(files, row, running),
        rejected={Entity(each["entity"]): each["records"] for each in rejected},
    )


def exists(connect: Connect, year_month: Month) -> bool:
    """Whether a month has a row."""
    with reading(connect) as cursor:
        return cursor.execute(_EXISTS, [str(year_month)]).fetchone() is not None


def progress(connect: Connect) -> Progress:
    """The running loads: one statement, cheap enough to be repeated every second."""
    with reading(connect) as cursor:
        row = cursor.execute(_PROGRESS, {"at_work": [str(s) for s in AT_WORK]}).fetchone()
    assert row is not None
    now = row["now"]
    return Progress(
        now=now,
        changed_at=row["changed_at"],
        months=[
            MonthProgress(
                year_month=each["year_month"],
                status=Status(each["status"]),
                started_at=_time(each["started_at"]),
                alive_until=_time(each["alive_until"]),
                steps=[
                    _progress(step, now)
                    for step in row["steps"]
                    if step["year_month"] == each["year_month"]
                ],
            )
            for each in row["months"]
        ],
    )


# -- one row ---------------------------------------------------------------------------------


def _summary(row: DictRow) -> dict[str, Any]:
    record = month_record(row)
    times = MonthReport.of(record)
    failed = _TASK.match(record.error_message or "")
    sizes = [file["size"] for file in row["files"] if file["size"] is not None]
    return {
        "year_month": record.year_month,
        "status": record.status,
        "at_work": record.status.at_work,
        "dump_date": record.dump_date,
        "dag_id": record.dag_id,
        "run_id": record.run_id,
        "failed_attempts": record.retry_count,
        "error": record.error_message,
        "failed_task": failed[1] if failed is not None else None,
        "alive_until": record.alive_until,
        "waiting": record.waiting,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "started_at": record.started_at,
        "download_completed_at": record.download_completed_at,
        "processing_completed_at": record.processing_completed_at,
        "download_seconds": times.download_seconds,
        "processing_seconds": times.processing_seconds,
        "seconds": times.seconds,
        "file_bytes": sum(sizes) if sizes else None,
        "entities": _entities(row["loads"], row["shards"]),
    }


def _entities(
    loads: Iterable[Mapping[str, Any]], shards: Iterable[Mapping[str, Any]]
) -> list[EntityMonth]:
    merged = _by_entity(loads)
    staged = _by_entity(shards)
    found = []
    for entity in Entity:
        if entity in merged:
            found.append(_merged(entity, merged[entity]))
        elif entity in staged:
            found.append(_staged(entity, [shard["report"] for shard in staged[entity]]))
    return found


def _by_entity(rows: Iterable[Mapping[str, Any]]) -> dict[Entity, list[Mapping[str, Any]]]:
    found: dict[Entity, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(Entity(row["entity"]), []).append(row)
    return found


def _merged(entity: Entity, loads: Sequence[Mapping[str, Any]]) -> EntityMonth:
    """An entity's month from its loads, oldest first."""
    last = EntityReport.from_dict(entity, loads[-1]["report"])
    total = EntityReport.of_loads([EntityReport.from_dict(entity, e["report"]) for e in loads])
    return EntityMonth(
        entity=entity,
        state="merged",
        records=loads[-1]["records"],
        unchanged=total.unchanged,
        added=total.inserted,
        changed=total.updated,
        removed=total.removed,
        restored=total.restored,
        rejected=total.rejected,
        filtered=total.filtered,
        rows=total.rows,
        bytes=last.bytes,
        seconds=last.seconds,
        stage_seconds=last.stage_seconds,
        merge_seconds=last.merge_seconds,
        first_load=bool(total.first_load),
        loads=len(loads),
        merged_at=_time(loads[-1]["merged_at"]),
    )


def _staged(entity: Entity, reports: Sequence[Mapping[str, Any]]) -> EntityMonth:
    seconds = max(float(report["seconds"]) for report in reports)
    return EntityMonth(
        entity=entity,
        state="staged",
        records=sum(report["read"] for report in reports),
        unchanged=sum(report["unchanged"] for report in reports),
        rejected=sum(report["rejected"] for report in reports),
        rows=sum(report["rows"] for report in reports),
        bytes=max(report["unpacked_bytes"] for report in reports),
        seconds=seconds,
        stage_seconds=seconds,
    )


def _file(row: Mapping[str, Any], checksums: Mapping[str, Any]) -> DumpFile:
    checksum = checksums.get(row["file_name"], {})
    return DumpFile(
        file_name=row["file_name"],
        entity=_entity_of(row["file_name"]),
        url=row["url"],
        size=row["size"],
        bytes_done=row["bytes_done"],
        state=FileState(row["state"]),
        attempts=row["attempts"],
        started_at=_time(row["started_at"]),
        completed_at=_time(row["completed_at"]),
        expected_sha256=checksum.get("expected"),
        actual_sha256=checksum.get("actual") or row["sha256"],
        validated_at=_time(checksum.get("validated_at")),
    )


def _steps(
    files: Iterable[DumpFile], row: Mapping[str, Any], running: Iterable[Mapping[str, Any]]
) -> list[Step]:
    """The timeline of the latest load: its completed and its running steps."""
    found: dict[tuple[Any, ...], Step] = {}

    def add(step: Any, entity: Entity | None, shard: int, start: Any, end: Any) -> None:
        if start is not None:
            found[step, entity, shard] = Step(
                step=step, entity=entity, shard=shard, started_at=start, ended_at=end
            )

    for file in files:
        if file.completed_at is not None or file.state is FileState.DOWNLOADING:
            add("download", file.entity, 0, file.started_at, file.completed_at)
    for load in _last(row["loads"]):
        for step in load["report"].get("steps") or ():
            start = _time(step["started_at"])
            assert start is not None
            end = start + dt.timedelta(seconds=step["seconds"])
            add(step["step"], Entity(load["entity"]), step["shard"], start, end)
    for shard in row["shards"]:
        start, seconds = _time(shard["report"].get("started_at")), shard["report"]["seconds"]
        if start is not None:
            end = start + dt.timedelta(seconds=seconds)
            add("stage", Entity(shard["entity"]), shard["shard"], start, end)
    for at_work in running:
        if at_work["step"] != "download":
            # A step that failed ended when it last wrote.
            stopped = None if row["status"] in AT_WORK else at_work["updated_at"]
            end_or_not = at_work["finished_at"] or stopped
            entity = Entity(at_work["entity"])
            add(at_work["step"], entity, at_work["shard"], at_work["started_at"], end_or_not)
    return sorted(found.values(), key=lambda step: step.started_at)


def _last(loads: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """The last load of each entity.

    :param loads: oldest first.
    """
    return {load["entity"]: load for load in loads}.values()


def _progress(row: Mapping[str, Any], now: dt.datetime) -> StepProgress:
    started, updated = _time(row["started_at"]), _time(row["updated_at"])
    finished = _time(row["finished_at"])
    until = finished or updated
    seconds = (until - started).total_seconds() if started and until else 0
    rate = row["done"] / seconds if seconds > 0 and row["unit"] == "bytes" else None
    left = None
    if finished is None and rate and row["total"] is not None and updated is not None:
        left = max(0.0, (row["total"] - row["done"]) / rate - (now - updated).total_seconds())
    return StepProgress(
        step=row["step"],
        entity=Entity(row["entity"]) if row["entity"] is not None else None,
        shard=row["shard"],
        shards=row["shards"],
        done=row["done"],
        total=row["total"],
        unit=row["unit"],
        rate=rate,
        seconds_left=left,
        records=row["records"],
        records_per_second=row["records"] / seconds if row["records"] and seconds > 0 else None,
        detail=row["detail"],
        started_at=started,
        updated_at=updated,
        finished_at=finished,
    )


def _entity_of(file_name: str) -> Entity | None:
    """The entity in a file name such as ``discogs_20260401_labels.xml.gz``."""
    return next((entity for entity in Entity if f"_{entity}." in file_name), None)


def _time(text: str | dt.datetime | None) -> dt.datetime | None:
    """A time from a row, or from jsonb text, in UTC."""
    if text is None:
        return None
    if isinstance(text, str):
        # Python 3.10 reads neither Z nor fractions of other than three or six digits.
        text = re.sub(r"\.(\d+)", lambda m: f".{m[1]:0<6}", text.replace("Z", "+00:00"))
        text = dt.datetime.fromisoformat(text)
    return text.astimezone(dt.timezone.utc)
