"""Arrow batches into tables through COPY in PostgreSQL's binary format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from discogs.database.connection import Connection


class Copied(NamedTuple):
    """What one COPY sent: rows, and bytes in the binary format."""

    rows: int
    bytes: int


def copy_batches(
    conn: Connection, table: sql.Composable, batches: Iterable[pa.RecordBatch]
) -> Copied:
    """Append batches of one schema to a table in one COPY; the caller commits.

    The batches name the columns, so the table may have more of them. The types must be those of
    the columns, since the binary format converts nothing: int32 for integer, string for text.

    :param batches: consumed one at a time; an error that they raise ends the COPY with no row.
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
    """Batches as the bytes of one COPY in binary format."""
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        yield encoder.write_batch(batch)
    yield encoder.finish()
