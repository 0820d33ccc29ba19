"""The kernel: the WebAssembly module ``kernel.wasm``, built from ``kernel/kernel.c``.

It imports nothing and can access only its own memory, whatever bytes it reads.
"""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from wasmtime import Engine, Instance, Module, Store, Trap

from discogs.records.kernel_program import Program, ProgramColumn
from discogs.schema.tables import Type

FILE = Path(__file__).with_name("kernel.wasm")

#: The limit of an instance's memory; a block of 8 MB needs about 30 MB.
MEMORY_BYTES = 256 * 1024 * 1024
_compiling = threading.Lock()
_PATHS = ("{path}/{name}", "{path}/@{name}", "{path}/text()")


class KernelFailed(Exception):
    """The kernel cannot read a block, since its rows need too much memory."""


@dataclass(frozen=True)
class KernelTable:
    """A table's rows: the columns of the fields, and the parts of the keys.

    :param record: the position of each row's record among the records that were read.
    :param owner: refers to the row around each row (see ``kernel_program._Owner``); 0 for none.
    :param seq: the ordinal of each row, from 1.
    """

    rows: int
    record: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]
    seq: npt.NDArray[np.int32]
    columns: dict[str, pa.Array]


@dataclass(frozen=True)
class KernelBlock:
    """What the kernel read of a block.

    :param refused: the positions of the records that it did not read.
    :param unmapped: elements, attributes and texts of the other records that the program does not
        name, counted by path.
    """

    tables: dict[str, KernelTable]
    refused: npt.NDArray[np.int32]
    unmapped: Counter[str]


class Kernel:
    """An instance of the kernel for one entity; not thread-safe."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._paths = program.paths
        engine, module = _compiled()
        self._store = Store(engine)
        self._store.set_limits(memory_size=MEMORY_BYTES)
        exports = Instance(self._store, module, []).exports(self._store)
        self._functions: dict[str, Any] = dict(exports.items())
        self._memory: Any = exports["memory"]
        words = program.words()
        address = self._call("program", len(words))
        self._write(address, words)
        self._call("start", address, *program.counts)

    @property
    def memory_bytes(self) -> int:
        """The size of its memory, which only grows."""
        size: int = self._memory.data_len(self._store)
        return size

    def parse(
        self, data: bytes, starts: npt.NDArray[np.int64], *, lenient: bool = False
    ) -> KernelBlock:
        """Read a block.

        :param starts: where each record starts; it ends where the next one starts.
        :param lenient: also read records that are not well-formed, if no value is affected.
        :raises KernelFailed: when the block needs too much memory.
        """
        bounds = np.append(starts, len(data)).astype("<i4").tobytes()
        address = self._call("block", len(starts), len(data))
        self._write(address, bounds)
        self._write(address + len(bounds), data)
        result = self._read(self._call("parse", lenient), 7).tolist()
        refused, refusals, unknown, unknowns, layout, output, size = result
        # A copy, since the next block overwrites the kernel's memory.
        columns = pa.allocate_buffer(size)
        ctypes.memmove(columns.address, self._at(output), size)
        return KernelBlock(
            self._tables(layout, columns),
            self._read(refused, refusals),
            self._unmapped(unknown, unknowns, data),
        )

    def _tables(self, address: int, data: pa.Buffer) -> dict[str, KernelTable]:
        """The tables, from the description that the kernel wrote at an address."""
        words = iter(self._read(address, self._program.layout_words).tolist())
        numbers = np.frombuffer(data, np.int32, data.size // 4)
        tables = {}
        for table in self._program.tables:
            rows = next(words)
            record, owner, seq = (
                numbers[at // 4 : at // 4 + rows] for at in (next(words), next(words), next(words))
            )
            columns = {
                column.name: _column(column, rows, [next(words) for _ in range(5)], data)
                for column in table.columns
            }
            tables[table.name] = KernelTable(rows, record, owner, seq, columns)
        return tables

    def _unmapped(self, address: int, count: int, data: bytes) -> Counter[str]:
        found = Counter[str]()
        for entry in self._read(address, 7 * count).reshape(count, 7).tolist():
            node, kind, name, size, times = entry[:5]
            if times:
                text = data[name : name + size].decode(errors="backslashreplace")
                found[_PATHS[kind].format(path=self._paths[node], name=text)] += times
        return found

    def _call(self, name: str, *arguments: int) -> int:
        try:
            address: int = self._functions[name](self._store, *arguments)
        except Trap as error:
            raise KernelFailed(str(error)) from error
        if not address:
            raise KernelFailed("out of memory")
        return address

    def _at(self, address: int) -> int:
        """The process's address of an address in the kernel's memory, valid until that grows."""
        return ctypes.addressof(self._memory.data_ptr(self._store).contents) + address

    def _write(self, address: int, data: bytes) -> None:
        ctypes.memmove(self._at(address), data, len(data))

    def _read(self, address: int, words: int) -> npt.NDArray[np.int32]:
        return np.frombuffer(ctypes.string_at(self._at(address), 4 * words), np.int32)


def _column(column: ProgramColumn, rows: int, layout: list[int], data: pa.Buffer) -> pa.Array:
    nulls, validity, values, texts, text_bytes = layout
    is_text = column.type in (Type.TEXT, Type.TEXT_ARRAY)
    if is_text and nulls == rows:
        return pa.nulls(rows, pa.string())
    bits = data.slice(validity, rows // 8 + 1) if nulls else None
    if is_text:
        buffers = [bits, data.slice(values, 4 * rows + 4), data.slice(texts, text_bytes)]
        return pa.Array.from_buffers(pa.string(), rows, buffers, nulls)
    return pa.Array.from_buffers(pa.int32(), rows, [bits, data.slice(values, 4 * rows)], nulls)


def _compiled() -> tuple[Engine, Module]:
    """The engine and the module that it compiled, once per process."""
    with _compiling:  # functools.cache may call a function twice when threads begin together
        return _compile()


@cache
def _compile() -> tuple[Engine, Module]:
    engine = Engine()
    return engine, Module(engine, FILE.read_bytes())
