"""Blocks of XML to rows in staging tables: worker threads parse blocks, and COPY the rows.

Parsing and waiting for the server both release the GIL, so the workers run in parallel with the
reader and with each other. The queue of blocks is short, so memory is bounded.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from types import TracebackType
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from discogs.database.connection import Connect, Connection, explain
from discogs.database.copying import copy_batches
from discogs.database.staging import Staging
from discogs.records.block import Block, BlockJoiner, Findings, ParsedBlock, Rejected
from discogs.records.filtering import apply
from discogs.records.parser import Parser
from discogs.records.seen_ids import SeenIds
from discogs.schema.filters import Filter

#: Seconds after which a waiting thread checks whether another one has failed.
_CHECK_SECONDS = 0.5


@dataclass
class Written:
    """What the workers of a shard wrote."""

    rows: int = 0
    copied_bytes: int = 0
    #: The sum over all workers.
    copy_seconds: float = 0.0
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    #: Ids of records that the rows refer to, by the records' table.
    referenced: dict[str, SeenIds] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    #: The ids of the records that the filter left out.
    left_out: list[npt.NDArray[np.int32]] = field(default_factory=list)

    def add(self, other: Written | ParsedBlock) -> None:
        self.rows += other.rows
        self.rejected += other.rejected
        self.findings.add(other.findings)
        for kind, names in other.names.items():
            self.names.setdefault(kind, {}).update(names)
        if isinstance(other, Written):
            self.copied_bytes += other.copied_bytes
            self.copy_seconds += other.copy_seconds
            self.left_out += other.left_out
            for target, ids in other.referenced.items():
                self.referenced.setdefault(target, SeenIds()).add(ids)


class Pipeline:
    """Parses the blocks that are put into it and copies their rows; a context manager.

    When it is left before :meth:`finish`, the workers stop without writing the rest.

    :param claims: the shard's claim; a worker raises StagingTaken when a later attempt has taken
        the shard.
    :param block_bytes: smaller blocks are joined to about this size before they are parsed.
    :param flush_bytes: a worker copies its rows after it has parsed about this many bytes.
    :param conditions: the entity's; only records that fulfil them are written.
    """

    def __init__(
        self,
        connect: Connect,
        staging: Staging,
        parser: Parser,
        *,
        workers: int,
        claims: dict[int, UUID],
        block_bytes: int,
        flush_bytes: int,
        conditions: Filter,
    ) -> None:
        self.connect = connect
        self.staging = staging
        self.parser = parser
        self.workers = workers
        self.claims = claims
        self.flush_bytes = flush_bytes
        self.conditions = conditions
        self._joiner = BlockJoiner(block_bytes)
        self._blocks: queue.Queue[Block | None] = queue.Queue(maxsize=workers + 1)
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="load")
        self._futures: list[Future[Written]] = []

    def __enter__(self) -> Pipeline:
        self._futures += [self._pool.submit(self._work) for _ in range(self.workers)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._pool.shutdown()

    def put(self, block: Block) -> None:
        """Add a block; its rows are written when :meth:`finish` returns.

        :raises DiscogsError: the error of a worker; the others stop.
        """
        full = self._joiner.join(block)
        if full is not None:
            self._hand_over(full)

    def finish(self) -> Written:
        """Write the remaining blocks.

        :returns: what all workers wrote.
        :raises DiscogsError: the error of a worker; the others stop.
        """
        rest = self._joiner.rest()
        if rest is not None:
            self._hand_over(rest)
        for _ in range(self.workers):
            self._hand_over(None)
        wait(self._futures, return_when=FIRST_EXCEPTION)
        self._raise_error()
        total = Written()
        for future in self._futures:
            total.add(future.result())
        return total

    def _hand_over(self, block: Block | None) -> None:
        while True:
            self._raise_error()
            try:
                self._blocks.put(block, timeout=_CHECK_SECONDS)
                return
            except queue.Full:
                continue

    def _raise_error(self) -> None:
        for future in self._futures:
            if future.done() and future.exception():
                self._stop.set()
                future.result()

    def _take(self) -> Block | None:
        """The next block; None after the last one, or when the workers are to stop."""
        while not self._stop.is_set():
            try:
                return self._blocks.get(timeout=_CHECK_SECONDS)
            except queue.Empty:
                continue
        return None

    def _work(self) -> Written:
        written = Written()
        waiting: dict[str, list[pa.RecordBatch]] = {}
        size = 0
        conn = self.connect()
        try:
            # The rows become durable with the synchronous commit that marks the shard complete.
            conn.execute("SET synchronous_commit TO off")
            conn.commit()
            while (block := self._take()) is not None:
                parsed = self.parser.parse(block)
                if self.conditions:
                    parsed, left_out = apply(self.conditions, self.staging.tables, parsed)
                    written.left_out.append(left_out)
                written.add(parsed)
                for name, batch in parsed.tables.items():
                    waiting.setdefault(name, []).append(batch)
                size += len(block.data)
                if size >= self.flush_bytes:
                    written.add(self._flush(conn, waiting))
                    size = 0
            if not self._stop.is_set():
                written.add(self._flush(conn, waiting))
        except psycopg.Error as error:
            raise explain(error) from error
        finally:
            conn.close()
        return written

    def _flush(self, conn: Connection, waiting: dict[str, list[pa.RecordBatch]]) -> Written:
        sent, started = 0, time.monotonic()
        referenced = self._referenced(waiting)
        self.staging.hold(conn, self.claims)
        for table in self.staging.tables.all:
            sent += copy_batches(conn, self.staging.table(table), waiting.pop(table.name, [])).bytes
        conn.commit()
        return Written(
            copied_bytes=sent, copy_seconds=time.monotonic() - started, referenced=referenced
        )

    def _referenced(self, waiting: dict[str, list[pa.RecordBatch]]) -> dict[str, SeenIds]:
        """The ids of the records that the rows refer to, by the records' table."""
        found: dict[str, SeenIds] = {}
        for target, columns in self.staging.tables.record_references.items():
            values = [
                batch.column(column.name)
                for table, column in columns
                for batch in waiting.get(table.name, ())
            ]
            found[target] = SeenIds()
            found[target].see(
                pc.unique(pa.chunked_array(values, pa.int32())).drop_null().to_numpy()
            )
        return found
