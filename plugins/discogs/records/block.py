"""The values passed between the steps: blocks of records, their rows, and rejected records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from discogs.schema.entities import Entity

#: How many bytes of a rejected record are kept.
REJECTED_XML_BYTES = 64 * 1024


@dataclass(frozen=True)
class Rejected:
    """A record that was not loaded, with the reason.

    :param offset: in the decompressed file, in bytes.
    :param record_id: None when it cannot be read.
    :param xml: the first bytes of the record, at most REJECTED_XML_BYTES.
    :param may_be_record: whether this may be a stored record, if its id cannot be read.
    """

    offset: int
    record_id: int | None
    reason: str
    xml: bytes
    may_be_record: bool = True

    @property
    def text(self) -> str:
        """The record as text that PostgreSQL can store."""
        return self.xml.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


@dataclass(frozen=True)
class Block:
    """Complete records one after the other, with their ids and fingerprints."""

    entity: Entity
    data: bytes
    #: Where each record starts in ``data``; it ends where the next one starts.
    starts: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    fingerprints: npt.NDArray[np.int64]
    #: Where each record starts in the decompressed file.
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def record(self, index: int) -> bytes:
        """The bytes of a record, with the white space after it."""
        end = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.data)
        return self.data[self.starts[index] : end]

    def take(self, positions: npt.NDArray[np.integer[Any]]) -> Block:
        """A block of the records at some positions."""
        records = [self.record(position) for position in positions.tolist()]
        sizes = np.array([len(record) for record in records], np.int64)
        return Block(
            self.entity,
            b"".join(records),
            np.cumsum(sizes) - sizes,
            self.ids[positions],
            self.fingerprints[positions],
            self.offsets[positions],
        )


class BlockJoiner:
    """Joins small blocks. A chunk of a file has few changed records in most months, and the
    overhead of a block is that of parsing more than a hundred records.

    :param block_bytes: the size to which blocks are joined; those of at least half of it are passed
        on alone.
    """

    def __init__(self, block_bytes: int) -> None:
        self._block_bytes = block_bytes
        self._small: list[Block] = []
        self._size = 0

    def join(self, block: Block) -> Block | None:
        """Add a block.

        :returns: a block that is large enough, or None.
        """
        if 2 * len(block.data) >= self._block_bytes:
            return block
        self._small.append(block)
        self._size += len(block.data)
        return self.rest() if self._size >= self._block_bytes else None

    def rest(self) -> Block | None:
        """The remaining small blocks, joined; None when there are none."""
        small, self._small, self._size = self._small, [], 0
        return _joined(small) if small else None


def _joined(blocks: list[Block]) -> Block:
    before = np.cumsum([0, *(len(block.data) for block in blocks[:-1])])
    return Block(
        blocks[0].entity,
        b"".join([block.data for block in blocks]),
        np.concatenate([block.starts + at for block, at in zip(blocks, before, strict=True)]),
        np.concatenate([block.ids for block in blocks]),
        np.concatenate([block.fingerprints for block in blocks]),
        np.concatenate([block.offsets for block in blocks]),
    )


@dataclass
class Findings:
    """Counts of what was found in the parsed records.

    :param unmapped: elements, attributes and texts that the mapping does not read, by path.
    :param invalid: values that do not fit their column and became NULL, by path.
    :param replaced: characters that PostgreSQL cannot store and that became U+FFFD.
    :param filled: rows and values, each by the path of its element or attribute.
    """

    unmapped: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    replaced: int = 0
    filled: Counter[str] = field(default_factory=Counter)

    def add(self, other: Findings) -> None:
        self.unmapped.update(other.unmapped)
        self.invalid.update(other.invalid)
        self.replaced += other.replaced
        self.filled.update(other.filled)

    def warnings(self, name: str) -> list[str]:
        """Warnings for the log, a line for each kind of finding.

        :param name: the file's name.
        """
        lines = []
        if self.unmapped:
            found = _counted(self.unmapped)
            lines.append(f"{name} has elements or attributes that are not loaded: {found}")
        if self.invalid:
            found = _counted(self.invalid)
            lines.append(f"{name} has values that do not fit their column and are NULL: {found}")
        if self.replaced:
            lines.append(
                f"{name} has {self.replaced} characters that PostgreSQL cannot store (NUL, unpaired"
                " surrogates); they became U+FFFD."
            )
        return lines


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{path} ({count} times)" for path, count in sorted(counts.items()))


@dataclass
class ParsedBlock:
    """The rows of a block by table, the names that they refer to by id, and rejected records."""

    tables: dict[str, pa.RecordBatch]
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.tables.values())


def join_parsed(blocks: list[ParsedBlock]) -> ParsedBlock:
    """Join parsed blocks of one entity."""
    names = blocks[0].tables
    joined = ParsedBlock(
        {name: pa.concat_batches([block.tables[name] for block in blocks]) for name in names}
    )
    for block in blocks:
        joined.rejected += block.rejected
        joined.findings.add(block.findings)
        for kind, found in block.names.items():
            joined.names.setdefault(kind, {}).update(found)
    return joined
