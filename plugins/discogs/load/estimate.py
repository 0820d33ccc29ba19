"""Estimates of the download, disk space and time of a month's load, before anything is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from discogs.database.connection import Connect
from discogs.dumps.listing import DumpFile, DumpSet
from discogs.dumps.storage import DumpStorage
from discogs.schema.entities import Entity
from discogs.tracking.model import MonthRecord
from discogs.tracking.postgres import PostgresMonthRepository

#: Bytes of tables and indexes per byte of the ``.gz`` file; measured on excerpts of real dumps.
TABLE_BYTES = {Entity.LABELS: 10.0, Entity.ARTISTS: 9.0, Entity.MASTERS: 8.0, Entity.RELEASES: 6.0}
#: Disk space during a first load per byte of the tables: staging, write-ahead log, sorting.
FIRST_SHARE = 1.25
#: Disk space during a later month's load per byte of the tables, as the benchmark measures it.
LATER_SHARE = 0.1
#: Bytes of the ``.gz`` files loaded per second, as the benchmark measures them on two processors
#: with five million releases.
FIRST_RATE, LATER_RATE = 8.6e6, 50e6
#: Bytes per second as users report them of data.discogs.com.
TRANSFER_RATE = 20e6
#: No rate is computed from fewer bytes than these.
_MEASURABLE_BYTES = 1_000_000


@dataclass(frozen=True)
class FilePlan:
    """One file of the month.

    :param stored: whether the complete file is in the storage.
    :param loaded: whether its entity is already merged for this month.
    """

    file: DumpFile
    entity: Entity
    stored: bool
    loaded: bool

    @property
    def size(self) -> int:
        return self.file.size or 0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimate of a load.

    :param missing: bytes still to be fetched.
    :param margin: bytes that must stay free in the storage.
    :param storage_free: free bytes of the storage; None when it is not a local disk.
    :param tables: bytes that the load needs on the database's disk.
    :param tables_free: free bytes there; None when they are not known from here.
    :param first: whether the tables are empty.
    :param transfer_rate: bytes per second.
    :param transfer_of: the month in which the rate was measured; None for the default rate.
    :param load_of: the month whose load ``load_seconds`` is computed from; None for the benchmark.
    """

    dump: DumpSet
    files: tuple[FilePlan, ...]
    missing: int
    margin: int
    storage: str
    storage_free: int | None
    tables: int
    tables_free: int | None
    first: bool
    transfer_rate: float
    transfer_of: str | None
    load_seconds: float
    load_of: str | None

    def lines(self) -> list[str]:
        """For a terminal or a log."""
        fetched = [plan for plan in self.files if not plan.stored]
        requests = 2 + len(fetched)
        shown = [f"Plan for {self.dump.month}, the dump of {self.dump.dump_date}:"]
        for plan in self.files:
            state = ["is in the storage" if plan.stored else "to be fetched"]
            if plan.loaded:
                state.append("loaded already")
            shown.append(f"  {plan.file.name}  {_size(plan.file.size)}  {', '.join(state)}")
        if fetched:
            seen = (
                f"measured in {self.transfer_of}" if self.transfer_of else "as reported by others"
            )
            shown.append(
                f"Transfer: {_size(self.missing)} in {requests} requests, one file at a time; about"
                f" {_minutes(self.missing / self.transfer_rate)} at"
                f" {self.transfer_rate / 1e6:.1f} MB/s ({seen})."
            )
        else:
            shown.append("Transfer: nothing; all files are in the storage.")
        needed = self.missing + self.margin
        shown.append(
            f"Disk for the files: {_size(self.missing)} and a reserve of {_size(self.margin)} in"
            f" {self.storage}: {_free(needed, self.storage_free)}."
        )
        kind = "a first load" if self.first else "a later month"
        shown.append(
            f"Disk for the database: about {_size(self.tables)} for {kind}:"
            f" {_free(self.tables, self.tables_free)}."
        )
        basis = f"by the load of {self.load_of}" if self.load_of else "by the package's benchmark"
        shown.append(f"Load: about {_minutes(self.load_seconds)} ({basis}).")
        return shown


def estimate(dump: DumpSet, storage: DumpStorage, connect: Connect | None = None) -> Estimate:
    """Estimate a load.

    :param dump: as listed; a file of unknown size counts as 0 bytes.
    :param connect: connects to the target database; None when there is none.
    """
    records: Sequence[MonthRecord] = ()
    transfer: tuple[float, str] | None = None
    tables_free: int | None = None
    if connect is not None:
        tables_free, records = _database_free(connect), _records(connect)
        transfer = _transfer(connect, records)
    this = next((record for record in records if record.month == dump.month), None)
    files = tuple(
        FilePlan(
            file,
            entity,
            storage.exists(file.name),
            this is not None and str(entity) in this.processing_stats,
        )
        for entity, file in dump.by_entity.items()
    )
    first = not any(record.processing_stats for record in records)
    share = FIRST_SHARE if first else LATER_SHARE
    use = storage.disk_use()
    seconds, load_of = _load_seconds(files, records, first)
    return Estimate(
        dump=dump,
        files=files,
        missing=storage.missing((plan.file.name, plan.file.size) for plan in files),
        margin=storage.margin,
        storage=str(storage),
        storage_free=use.free if use is not None else None,
        tables=int(sum(plan.size * TABLE_BYTES[plan.entity] for plan in files) * share),
        tables_free=tables_free,
        first=first,
        transfer_rate=transfer[0] if transfer is not None else TRANSFER_RATE,
        transfer_of=transfer[1] if transfer is not None else None,
        load_seconds=seconds,
        load_of=load_of,
    )


def _records(connect: Connect) -> Sequence[MonthRecord]:
    """The months' rows, newest first; empty when the database is not migrated."""
    with connect() as conn:
        row = conn.execute("SELECT to_regclass('discogs_data_processing')").fetchone()
    if row is None or row[0] is None:
        return ()
    found = PostgresMonthRepository(connect).all()
    return sorted(found, key=lambda record: record.month, reverse=True)


def _transfer(connect: Connect, records: Sequence[MonthRecord]) -> tuple[float, str] | None:
    """The transfer rate of the newest month that has one, in bytes per second, and that month."""
    repository = PostgresMonthRepository(connect)
    for record in records:
        size, seconds = 0, 0.0
        for file in repository.files(record.month):
            if file.completed_at is None or file.started_at is None or file.size is None:
                continue
            size += file.size
            seconds += max(0.0, (file.completed_at - file.started_at).total_seconds())
        if size >= _MEASURABLE_BYTES and seconds > 0:
            return size / seconds, str(record.month)
    return None


def _load_seconds(
    files: Sequence[FilePlan], records: Sequence[MonthRecord], first: bool
) -> tuple[float, str | None]:
    """Seconds of the load, and the month whose load they are computed from; None for the
    benchmark."""
    for record in records:
        sizes = {name: checksum.size or 0 for name, checksum in record.file_checksums.items()}
        packed, seconds = 0, 0.0
        for entity, stats in record.processing_stats.items():
            if bool(stats.get("first_load")) == first and stats.get("seconds"):
                packed += sum(size for name, size in sizes.items() if f"_{entity}." in name)
                seconds += float(stats["seconds"])
        if packed >= _MEASURABLE_BYTES:
            return sum(plan.size for plan in files) * seconds / packed, str(record.month)
    return sum(plan.size for plan in files) / (FIRST_RATE if first else LATER_RATE), None


def _database_free(connect: Connect) -> int | None:
    """Free bytes on the database's disk; None when it is on another machine, or the role may not
    read ``data_directory``."""
    with connect() as conn:
        host = conn.info.host
        if not (host.startswith("/") or host in ("", "localhost", "127.0.0.1", "::1")):
            return None
        try:
            row = conn.execute("SELECT current_setting('data_directory')").fetchone()
        except psycopg.Error:
            return None
    folder = Path(row[0]) if row is not None else None
    try:
        return shutil.disk_usage(folder).free if folder is not None else None
    except OSError:
        return None


def _size(count: int | None) -> str:
    if count is None:
        return "size unknown"
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _free(needed: int, free: int | None) -> str:
    if free is None:
        return "free space unknown from here"
    return f"{_size(free)} free" + ("" if free >= needed else ", NOT ENOUGH")


def _minutes(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"
