"""Parsing a block: by the kernel what is of the usual form, by lxml the rest."""

from __future__ import annotations

import numpy as np

from discogs.records.block import Block, ParsedBlock, join_parsed
from discogs.records.kernel_parser import KernelParser
from discogs.records.lxml_parser import LxmlParser
from discogs.schema.entities import Entity


class Parser:
    """Parses blocks of one entity; one instance may be shared by threads.

    Whether and how a record is read depends on its bytes alone, not on its neighbours or ``fast``.

    :param fast: False reads every record with LxmlParser.
    """

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        self._lxml = LxmlParser(entity)
        self._kernel = KernelParser(entity)
        self._fast = fast

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block, and the records of it that cannot be read."""
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
        # A record that is not well-formed is read all the same if its values are whole.
        offsets = [reject.offset for reject in parsed.rejected]
        rejected = block.take(np.flatnonzero(np.isin(block.offsets, offsets)))
        repaired, left = self._kernel.parse(rejected, lenient=True)
        parsed.rejected = [parsed.rejected[position] for position in left.tolist()]
        return join_parsed([parsed, repaired])
