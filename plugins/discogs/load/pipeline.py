"""Blocks to rows to COPY, in threads: each worker parses, gathers, and writes for itself.

Parsing and waiting for the server both release the GIL, so the workers overlap with the
reader and with each other; the queue between them is short, so memory stays flat.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pyarrow as pa

from discogs.database.connection import Connect, explain
from discogs.database.copying import copy_batches
from discogs.database.staging import Staging
from discogs.records.block import Block, Rejected
from discogs.records.parser import Parser


@dataclass
class Written:
    """What the workers of one shard wrote; ``copy_seconds`` are theirs together."""

    rows: int = 0
    copied_bytes: int = 0
    copy_seconds: float = 0.0
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def add(self, other: Written) -> None:
        self.rows += other.rows
        self.copied_bytes += other.copied_bytes
        self.copy_seconds += other.copy_seconds
        self.rejected += other.rejected
        for kind, names in other.names.items():
            self.names.setdefault(kind, {}).update(names)


class Pipeline:
    """Parses and copies the blocks that are put into it, with a fixed number of workers.

    :param flush_bytes: a worker sends its rows when it has parsed about so many bytes.
    :param claims: the shard's claim; a worker stops with StagingTaken when it no longer counts.
    """

    def __init__(
        self,
        connect: Connect,
        staging: Staging,
        engine: Parser,
        *,
        workers: int,
        flush_bytes: int,
        claims: dict[int, UUID],
    ) -> None:
        self.connect = connect
        self.staging = staging
        self.engine = engine
        self.workers = workers
        self.flush_bytes = flush_bytes
        self.claims = claims
        self.blocks: queue.Queue[Block | None] = queue.Queue(maxsize=workers + 1)
        self.stop = threading.Event()

    def run(self, blocks: Iterable[Block]) -> Written:
        """Write every block; the reading itself happens in the caller's thread.

        :raises DiscogsError: the first error of any worker; the others are stopped.
        """
        total = Written()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="load") as pool:
            futures = [pool.submit(self._work) for _ in range(self.workers)]
            try:
                for block in blocks:
                    if not self._put(block, futures):
                        break
                for _ in range(self.workers):
                    self._put(None, futures)
            except BaseException:
                self.stop.set()
                raise
            finally:
                wait(futures, return_when=FIRST_EXCEPTION)
                if any(f.done() and f.exception() for f in futures):
                    self.stop.set()
        for future in futures:
            total.add(future.result())
        return total

    def _put(self, block: Block | None, futures: list[Future[Written]]) -> bool:
        while True:
            if any(future.done() and future.exception() for future in futures):
                self.stop.set()
                return False
            try:
                self.blocks.put(block, timeout=0.5)
                return True
            except queue.Full:
                continue

    def _taken(self) -> Iterator[Block]:
        while not self.stop.is_set():
            try:
                block = self.blocks.get(timeout=0.5)
            except queue.Empty:
                continue
            if block is None:
                return
            yield block

    def _work(self) -> Written:
        written = Written()
        gathered: dict[str, list[pa.RecordBatch]] = {}
        size = 0
        conn = self.connect()
        try:
            # The rows are safe when the shard is marked complete, by a commit that waits.
            conn.execute("SET synchronous_commit TO off")
            conn.commit()
            for block in self._taken():
                parsed = self.engine.parse(block)
                for name, batch in parsed.tables.items():
                    gathered.setdefault(name, []).append(batch)
                written.add(Written(parsed.rows, names=parsed.names, rejected=parsed.rejected))
                size += len(block.data)
                if size >= self.flush_bytes:
                    written.add(self._flush(conn, gathered))
                    size = 0
            if not self.stop.is_set():
                written.add(self._flush(conn, gathered))
        except psycopg.Error as error:
            raise explain(error) from error
        finally:
            conn.close()
        return written

    def _flush(
        self,
        conn: psycopg.Connection[tuple[object, ...]],
        gathered: dict[str, list[pa.RecordBatch]],
    ) -> Written:
        sent, started = 0, time.monotonic()
        self.staging.hold(conn, self.claims)
        for table in self.staging.tables.all:
            sent += copy_batches(conn, self.staging.table(table), gathered.pop(table.name, []))
        conn.commit()
        return Written(copied_bytes=sent, copy_seconds=time.monotonic() - started)
