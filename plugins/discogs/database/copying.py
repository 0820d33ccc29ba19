"""Arrow batches into tables through COPY in PostgreSQL's binary format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from discogs.database.connection import Connection


def copy_batches(conn: Connection, table: sql.Composable, batches: Sequence[pa.RecordBatch]) -> int:
    """Append batches of one schema to a table in one COPY; how many bytes were sent.

    The columns are named by the batches, so the table may have more of them.
    """
    filled = [batch for batch in batches if batch.num_rows]
    if not filled:
        return 0
    schema = filled[0].schema
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, schema.names))
    )
    sent = 0
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for data in encoded(schema, filled):
            copy.write(data)
            sent += len(data)
    return sent


def encoded(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterable[bytes]:
    """Batches as the bytes of one COPY in binary format."""
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        yield encoder.write_batch(batch)
    yield encoder.finish()
