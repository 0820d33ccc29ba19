"""Blocks of XML to Parquet files: blocks are parsed in threads, rows written in the file's order.

Memory is bounded: few blocks are parsed at a time, and each table buffers at most one row group.
The files do not depend on the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from discogs.load.export_folder import ExportFolder, discard, sync
from discogs.records.block import Block, BlockJoiner, Findings, ParsedBlock, Rejected
from discogs.records.columns import table_schema
from discogs.records.filtering import apply
from discogs.records.parser import Parser
from discogs.schema.filters import Filter
from discogs.schema.tables import EntityTables
from discogs.settings import MIB

_Parsed = tuple[ParsedBlock, npt.NDArray[np.int32]]


@dataclass(frozen=True)
class ParquetSizes:
    """The limits at which a row group or a file ends; each is exceeded by at most one batch.

    :param rows: rows of a row group.
    :param group: bytes of a row group in memory; it ends at whichever limit is reached first.
    :param file: bytes of a file.
    """

    rows: int = 128 * 1024
    group: int = 8 * MIB
    file: int = 512 * MIB


@dataclass(frozen=True)
class WrittenFile:
    """A file of a table; ``name`` is relative to the folder of the table's files."""

    name: str
    rows: int
    bytes: int


class TableWriter:
    """Writes the rows of one table to files ``part-0000.parquet``, ``part-0001.parquet``, …

    :param target: the export.
    :param folder: the folder of the files in it.
    :param pool: encodes the row groups, one of this table at a time.
    """

    def __init__(
        self,
        target: ExportFolder,
        folder: str,
        schema: pa.Schema,
        pool: ThreadPoolExecutor,
        sizes: ParquetSizes,
    ) -> None:
        self._target, self._folder, self._schema = target, folder, schema
        self._pool, self._sizes = pool, sizes
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0
        self._job: Future[None] | None = None
        self._sink: BinaryIO | None = None
        self._writer: pq.ParquetWriter | None = None
        self._file_rows = 0
        self._files: list[WrittenFile] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows; they are written once they make a row group."""
        if not batch.num_rows:
            return
        columns = [batch.column(name) for name in self._schema.names]
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= self._sizes.rows or self._bytes >= self._sizes.group:
            self._flush()

    def finish(self) -> list[WrittenFile]:
        """Write the remaining rows.

        :returns: the files; at least one, even when there were no rows.
        """
        self._flush()
        self._wait()
        if self._writer is None and not self._files:
            self._write([])
        self._close()
        return self._files

    def discard(self) -> None:
        """Stop, and discard the open file; does nothing after :meth:`finish`."""
        if self._job is not None and not self._job.cancelled():
            self._job.exception()
        if self._sink is not None:
            discard(self._sink)
            self._sink = self._writer = None

    def _flush(self) -> None:
        self._wait()
        if self._waiting:
            self._job = self._pool.submit(self._write, self._waiting)
        self._waiting, self._rows, self._bytes = [], 0, 0

    def _wait(self) -> None:
        if self._job is not None:
            self._job.result()
            self._job = None

    def _write(self, batches: list[pa.RecordBatch]) -> None:
        if self._writer is None:
            self._sink = self._target.create(f"{self._folder}/{self._name}")
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        if batches:
            table = pa.Table.from_batches(batches, self._schema)
            self._writer.write_table(table, row_group_size=table.num_rows)
            self._file_rows += table.num_rows
        assert self._sink is not None
        if self._sink.tell() >= self._sizes.file:
            self._close()

    @property
    def _name(self) -> str:
        return f"part-{len(self._files):04d}.parquet"

    def _close(self) -> None:
        if self._writer is None or self._sink is None:
            return
        self._writer.close()
        self._sink.flush()
        sync(self._sink)
        written = WrittenFile(self._name, self._file_rows, self._sink.tell())
        self._sink.close()
        self._files.append(written)
        self._sink, self._writer, self._file_rows = None, None, 0


@dataclass
class Exported:
    """What was written of an entity."""

    records: int = 0
    filtered: int = 0
    rejected: int = 0
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    files: dict[str, list[WrittenFile]] = field(default_factory=dict)


class ParquetPipeline:
    """Parses the blocks that are put into it and writes their rows; a context manager.

    :param folder_of: returns the folder of a table's files, by the table's name.
    :param block_bytes: smaller blocks are joined to about this size before they are parsed.
    :param conditions: the entity's; only records that fulfil them are written.
    :param reject: called with the records that cannot be read.
    """

    def __init__(
        self,
        target: ExportFolder,
        folder_of: Callable[[str], str],
        tables: EntityTables,
        parser: Parser,
        *,
        workers: int,
        block_bytes: int,
        conditions: Filter,
        reject: Callable[[list[Rejected]], None],
        sizes: ParquetSizes,
    ) -> None:
        self._tables, self._parser = tables, parser
        self._conditions, self._reject = conditions, reject
        self._joiner = BlockJoiner(block_bytes)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="export")
        self._max_parsing = workers + 1
        self._parsing: deque[Future[_Parsed]] = deque()
        self._exported = Exported()
        self._writers = {
            table.name: TableWriter(
                target, folder_of(table.name), table_schema(table), self._pool, sizes
            )
            for table in tables.all
        }

    def __enter__(self) -> ParquetPipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        for writer in self._writers.values():
            writer.discard()

    def put(self, block: Block) -> None:
        """Add a block; its rows are written when :meth:`finish` returns."""
        full = self._joiner.join(block)
        if full is not None:
            self._submit(full)

    def finish(self) -> Exported:
        """Parse and write the remaining blocks."""
        rest = self._joiner.rest()
        if rest is not None:
            self._submit(rest)
        while self._parsing:
            self._take()
        for name, writer in self._writers.items():
            self._exported.files[name] = writer.finish()
        return self._exported

    def _submit(self, block: Block) -> None:
        while len(self._parsing) >= self._max_parsing:
            self._take()
        self._parsing.append(self._pool.submit(self._parse, block))

    def _parse(self, block: Block) -> _Parsed:
        parsed, left_out = self._parser.parse(block), np.empty(0, np.int32)
        if self._conditions:
            parsed, left_out = apply(self._conditions, self._tables, parsed)
        parsed.tables = {name: compact(batch) for name, batch in parsed.tables.items()}
        return parsed, left_out

    def _take(self) -> None:
        """Pass the rows of the oldest block to the writers."""
        parsed, left_out = self._parsing.popleft().result()
        for name, batch in parsed.tables.items():
            self._writers[name].add(batch)
        exported = self._exported
        exported.records += parsed.tables[self._tables.root.name].num_rows
        exported.filtered += len(left_out)
        exported.rejected += len(parsed.rejected)
        exported.findings.add(parsed.findings)
        for kind, names in parsed.names.items():
            exported.names.setdefault(kind, {}).update(names)
        self._reject(parsed.rejected)


def compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Copy a batch to its own memory. Its columns are slices of the whole block's buffers, which a
    table with few rows would otherwise keep alive until they are written."""
    return pa.ipc.read_record_batch(batch.serialize(), batch.schema)
