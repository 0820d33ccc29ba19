"""Parsing of a block: records of the usual form by the kernel, all others by lxml."""

from __future__ import annotations

import numpy as np

from discogs.records.block import Block, ParsedBlock, join_parsed
from discogs.records.kernel_parser import KernelParser
from discogs.records.lxml_parser import LxmlParser
from discogs.schema.entities import Entity


class Parser:
    """Parses blocks of one entity; thread-safe.

    The rows of a record depend only on its bytes, not on the other records or on ``fast``.

    :param fast: False parses every record with LxmlParser.
    """

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        self._lxml = LxmlParser(entity)
        self._kernel = KernelParser(entity)
        self._fast = fast

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block, and the records that cannot be read."""
        if not self._fast:
            return self._parse_carefully(block)
        parsed, refused = self._kernel.parse(block)
        if not len(refused):
            return parsed
        return join_parsed([parsed, self._parse_carefully(block.take(refused))])

    def _parse_carefully(self, block: Block) -> ParsedBlock:
        parsed = self._lxml.parse(block)
        if not parsed.rejected:
            return parsed
        # A record that is not well-formed is still read if none of its values is affected.
        offsets = [reject.offset for reject in parsed.rejected]
        rejected = block.take(np.flatnonzero(np.isin(block.offsets, offsets)))
        repaired, left = self._kernel.parse(rejected, lenient=True)
        parsed.rejected = [parsed.rejected[position] for position in left.tolist()]
        return join_parsed([parsed, repaired])
