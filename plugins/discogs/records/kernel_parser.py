"""KernelParser: parses whole blocks with the kernel.

It reads the records that have the usual form; the others are left to LxmlParser.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from discogs.records.block import Block, Findings, ParsedBlock
from discogs.records.columns import arrow_schema, finish
from discogs.records.kernel import Kernel, KernelBlock, KernelFailed, KernelTable
from discogs.records.kernel_program import Program, list_table
from discogs.schema.entities import Entity
from discogs.schema.mapping import MAPPINGS
from discogs.schema.model import EntityMapping


class KernelParser:
    """Parses blocks of one entity; thread-safe."""

    def __init__(self, entity: Entity) -> None:
        self.mapping: EntityMapping = MAPPINGS[entity]
        self._program = Program(self.mapping)
        self._schemas = {t.name: arrow_schema(self.mapping, t) for t in self.mapping.tables().all}
        self._kernels = threading.local()

    def parse(
        self, block: Block, *, lenient: bool = False
    ) -> tuple[ParsedBlock, npt.NDArray[np.int32]]:
        """The rows of a block, and the positions of the records that the kernel does not read.

        :param lenient: also read records that are not well-formed, if no value is affected.
        """
        try:
            found = self._kernel().parse(block.data, block.starts, lenient=lenient)
        except KernelFailed:
            return self._nothing, np.arange(len(block), dtype=np.int32)
        read = np.delete(np.arange(len(block)), found.refused)
        ids = block.ids[read]
        batches = {
            name: self._batch(found, name, schema, ids) for name, schema in self._schemas.items()
        }
        findings = Findings(unmapped=found.unmapped)
        parsed = finish(self.mapping, batches, block.fingerprints[read], [], findings)
        return parsed, found.refused

    @property
    def _nothing(self) -> ParsedBlock:
        batches = {
            name: pa.RecordBatch.from_pylist([], schema) for name, schema in self._schemas.items()
        }
        return finish(self.mapping, batches, np.zeros(0, np.int64), [], Findings())

    def _kernel(self) -> Kernel:
        """This thread's instance of the kernel."""
        kernel: Kernel | None = getattr(self._kernels, "kernel", None)
        if kernel is None:
            kernel = self._kernels.kernel = Kernel(self._program)
        return kernel

    def _batch(
        self, found: KernelBlock, name: str, schema: pa.Schema, ids: npt.NDArray[np.int32]
    ) -> pa.RecordBatch:
        table = found.tables[name]
        columns = []
        for column in schema:
            if name == self.mapping.root.name and column.name == "id":
                values = pa.array(ids)
            elif column.name in table.columns:
                values = table.columns[column.name]
                if values.type != column.type:
                    values = values.cast(column.type)
            elif column.name == self.mapping.parent_column:
                values = pa.array(ids[table.record])
            elif column.name == "seq":
                values = pa.array(table.seq)
            elif column.name == "parent_seq":
                values = pa.array(table.owner, mask=table.owner == 0)
            elif pa.types.is_list(column.type):
                values = _lists(found.tables[list_table(name, column.name)], table.rows)
            else:  # the ordinal of the row around it
                values = pa.array(table.owner)
            columns.append(values)
        return pa.RecordBatch.from_arrays(columns, schema=schema)


def _lists(items: KernelTable, rows: int) -> pa.Array:
    """The items as one list per row, NULL for a row without items; blank items are dropped."""
    (texts,) = items.columns.values()
    filled = texts.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.bincount(items.owner[filled], minlength=rows)
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pc.drop_null(texts), mask=pa.array(sizes == 0)
    )
