"""The data that the overview returns. Times are in UTC, sizes in bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from discogs.schema.entities import Entity
from discogs.tracking.model import FileState, Status, Waiting

Kind = Literal["added", "changed", "removed", "restored", "rejected", "filtered"]


@dataclass(frozen=True, kw_only=True)
class EntityMonth:
    """What the loads of a month did to an entity; the counts of changes are summed over all loads.

    :param state: ``staged`` means parsed, but not merged.
    :param records: number of records in the month's dump.
    :param filtered: number of records that the load's filter left out.
    :param loads: how often the month was merged.
    """

    entity: Entity
    state: Literal["staged", "merged"]
    records: int | None = None
    unchanged: int | None = None
    added: int | None = None
    changed: int | None = None
    removed: int | None = None
    restored: int | None = None
    rejected: int | None = None
    filtered: int | None = None
    rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    stage_seconds: float | None = None
    merge_seconds: float | None = None
    first_load: bool = False
    loads: int = 0
    merged_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class MonthSummary:
    """A month's status.

    :param at_work: whether a run is loading the month.
    :param dag_id: DAG of the run that last changed the month's status; None, as ``run_id`` is, if
        there was none.
    :param failed_task: the task that failed, such as ``merge.releases``.
    :param alive_until: until when the loading run counts as alive; None for the command line.
    :param waiting: what a run waits for that has not yet claimed the month.
    :param file_bytes: size of the month's compressed files.
    """

    year_month: str
    status: Status
    at_work: bool
    dump_date: dt.date | None
    dag_id: str | None
    run_id: str | None
    failed_attempts: int
    error: str | None
    failed_task: str | None
    alive_until: dt.datetime | None
    waiting: Waiting | None
    created_at: dt.datetime
    updated_at: dt.datetime
    started_at: dt.datetime | None
    download_completed_at: dt.datetime | None
    processing_completed_at: dt.datetime | None
    download_seconds: float | None
    processing_seconds: float | None
    seconds: float | None
    file_bytes: int | None
    entities: Sequence[EntityMonth]


@dataclass(frozen=True, kw_only=True)
class DumpFile:
    """A file of a month.

    :param expected_sha256: the published SHA-256; None when no CHECKSUM.txt lists the file.
    :param actual_sha256: the computed SHA-256; None until the file was hashed.
    """

    file_name: str
    entity: Entity | None
    url: str | None
    size: int | None
    bytes_done: int
    state: FileState
    attempts: int
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    expected_sha256: str | None
    actual_sha256: str | None
    validated_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of a check of the merged tables: a count, and in ``detail`` what was counted."""

    name: str
    passed: bool
    value: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a month's load; ``ended_at`` is None while it runs."""

    step: Literal["download", "verify", "stage", "keys", "merge", "export"]
    entity: Entity | None
    shard: int = 0
    started_at: dt.datetime
    ended_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class MonthDetail(MonthSummary):
    """A month in detail.

    :param rejected: number of rejected records by entity.
    """

    files: Sequence[DumpFile]
    checks: Sequence[Check]
    steps: Sequence[Step]
    rejected: Mapping[Entity, int]


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """The progress of a step.

    :param done: bytes of the compressed file, or completed parts of the step, out of ``total``.
    :param rate: bytes per second.
    :param seconds_left: an estimate; None if there is none.
    :param detail: what the step is doing, or has found so far.
    :param updated_at: when the running process last wrote.
    """

    step: str
    entity: Entity | None
    shard: int
    shards: int
    done: int
    total: int | None
    unit: Literal["bytes", "parts"]
    rate: float | None
    seconds_left: float | None
    records: int | None
    records_per_second: float | None
    detail: str | None
    started_at: dt.datetime | None
    updated_at: dt.datetime | None
    finished_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class MonthProgress:
    """A month that a run is loading.

    :param alive_until: until when the run counts as alive; None for the command line.
    """

    year_month: str
    status: Status
    started_at: dt.datetime | None
    alive_until: dt.datetime | None
    steps: Sequence[StepProgress]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The loads that are running.

    :param changed_at: when any month's row last changed; the months need to be read again only when
        this changes.
    """

    now: dt.datetime
    changed_at: dt.datetime | None
    months: Sequence[MonthProgress]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A record that a month's load changed.

    :param title: None if the record has none.
    :param tables: the tables whose rows of a changed or restored record differ.
    :param columns: the columns that differ in existing rows, as ``table.column``.
    :param old_values: the old values of these columns, if ``DISCOGS_OLD_VALUES`` is on.
    """

    entity: Entity
    id: int
    change: Kind
    title: str | None
    url: str
    tables: Sequence[str] | None
    columns: Sequence[str] | None
    old_values: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """A page of a month's change feed, by entity and id; ``next`` is ``after`` of the next page."""

    year_month: str
    changes: Sequence[Change]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class RejectedRecord:
    """A rejected record of the dump.

    :param byte_offset: where it starts in the uncompressed file.
    :param xml: the record as in the dump, truncated at 64 KiB.
    """

    id: int
    entity: Entity
    record_id: int | None
    byte_offset: int
    reason: str
    xml: str
    created_at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A page of a month's rejected records; ``next`` is ``after`` of the next page."""

    year_month: str
    records: Sequence[RejectedRecord]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class HistoryEvent:
    """What a month's load did to a record.

    :param kind: ``first_load`` for a record that was loaded into empty tables.
    """

    year_month: str
    kind: Kind | Literal["first_load"]
    tables: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    old_values: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class RecordRows:
    """The first rows of a record in one of its tables, and the ``count`` of all."""

    table: str
    count: int
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RecordHistory:
    """When a record was added, changed, removed and restored, and its current rows.

    :param state: ``placeholder`` for an id that other records refer to and no loaded dump has.
    :param last_seen: for a removed record, the last month that has it.
    """

    entity: Entity
    id: int
    title: str | None
    url: str
    state: Literal["live", "removed", "placeholder"]
    dump_month: str | None
    removed_in: str | None
    last_seen: str | None
    events: Sequence[HistoryEvent]
    rows: Sequence[RecordRows]


@dataclass(frozen=True, kw_only=True)
class FoundRecord:
    """A record that a search found."""

    entity: Entity
    id: int
    title: str | None
    state: Literal["live", "removed", "placeholder"]


@dataclass(frozen=True, kw_only=True)
class TableSize:
    """Disk use of a table with its indexes."""

    table: str
    entity: Entity | None
    bytes: int
