"""What the overview consists of. Times are in UTC, sizes are bytes."""

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
    """What a month brought to an entity; the changes are those of all its loads together.

    :param state: ``staged`` means parsed, and not merged.
    :param records: in the month's dump.
    :param filtered: records that the load's filter left out.
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

    :param at_work: whether a run works on the month.
    :param dag_id: of the run that last moved the month; with ``run_id`` None when none did.
    :param failed_task: the task that the error is of, such as ``merge.releases``.
    :param alive_until: until when the run at work counts as alive; None for the command line.
    :param waiting: what a run waits for that has not begun with the month.
    :param file_bytes: of the month's packed files.
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

    :param expected_sha256: as published; None when no CHECKSUM.txt lists the file.
    :param actual_sha256: as computed; None until the file was hashed.
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
    """A check of the tables after the merges: ``value`` was counted, ``detail`` says what."""

    name: str
    passed: bool
    value: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a month's load, from when to when; ``ended_at`` is None while it runs."""

    step: Literal["download", "verify", "stage", "keys", "merge"]
    entity: Entity | None
    shard: int = 0
    started_at: dt.datetime
    ended_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class MonthDetail(MonthSummary):
    """All that is known of a month.

    :param rejected: entity to number of rejected records.
    """

    files: Sequence[DumpFile]
    checks: Sequence[Check]
    steps: Sequence[Step]
    rejected: Mapping[Entity, int]


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """How far a step is that runs now.

    :param done: bytes of the packed file, or parts of the step that have ended, of ``total``.
    :param rate: bytes a second.
    :param seconds_left: an estimate; None when there is none.
    :param detail: what is done at the moment, or was found so far.
    :param updated_at: when the process at work last wrote.
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
    """A month that a run works on.

    :param alive_until: until when the run counts as alive; None for the command line.
    """

    year_month: str
    status: Status
    started_at: dt.datetime | None
    alive_until: dt.datetime | None
    steps: Sequence[StepProgress]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is at work now.

    :param changed_at: when any month's row last changed: the months need to be read again only
        when it does.
    """

    now: dt.datetime
    changed_at: dt.datetime | None
    months: Sequence[MonthProgress]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A record that a month's load changed.

    :param title: None where the record has none.
    :param tables: whose rows differ from before, of a changed or restored record.
    :param columns: that differ in rows that were there before, as ``table.column``.
    :param old_values: what they held before, where ``DISCOGS_OLD_VALUES`` is on.
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
    """A page of a month's change feed, by entity and id; ``next`` is the next page's ``after``."""

    year_month: str
    changes: Sequence[Change]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class RejectedRecord:
    """A record of the dump that became no row.

    :param byte_offset: where it starts in the unpacked file.
    :param xml: as it is in the dump, cut at 64 KiB.
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
    """A page of a month's rejected records; ``next`` is the next page's ``after``."""

    year_month: str
    records: Sequence[RejectedRecord]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class StoryEvent:
    """Something that a month's load did to a record.

    :param kind: ``first_load`` for a record that was there when the tables were filled.
    """

    year_month: str
    kind: Kind | Literal["first_load"]
    tables: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    old_values: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class RecordRows:
    """The rows of a record in one of its tables; ``count`` is of all, ``rows`` are the first."""

    table: str
    count: int
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RecordStory:
    """When a record came, changed, vanished and came back, and its rows as they are now.

    :param state: ``placeholder`` for an id that others refer to and no loaded dump has.
    :param last_seen: the last month that has it, of a removed one.
    """

    entity: Entity
    id: int
    title: str | None
    url: str
    state: Literal["live", "removed", "placeholder"]
    dump_month: str | None
    removed_in: str | None
    last_seen: str | None
    events: Sequence[StoryEvent]
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
    """What a table takes on the server's disk, with its indexes."""

    table: str
    entity: Entity | None
    bytes: int
