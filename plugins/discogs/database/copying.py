"""COPY of Arrow batches to tables, in PostgreSQL's binary format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from discogs.database.connection import Connection


class Copied(NamedTuple):
    """The rows, and the bytes in binary format, that a COPY sent."""

    rows: int
    bytes: int


def copy_batches(
    conn: Connection, table: sql.Composable, batches: Iterable[pa.RecordBatch]
) -> Copied:
    """Append batches of one schema to a table, in one COPY; the caller commits.

    The columns are matched by name, and the table may have others. The types must match exactly,
    since the binary format converts nothing: int32 for integer, string for text.

    :param batches: consumed one at a time; if iterating them raises, the COPY is aborted.
    """
    filled = (batch for batch in batches if batch.num_rows)
    first = next(filled, None)
    if first is None:
        return Copied(0, 0)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, first.schema.names))
    )
    sent = 0
    with conn.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for data in encoded(first.schema, chain([first], filled)):
                copy.write(data)
                sent += len(data)
        return Copied(cursor.rowcount, sent)


def encoded(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Encode batches as the data of one COPY in binary format."""
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        yield encoder.write_batch(batch)
    yield encoder.finish()
