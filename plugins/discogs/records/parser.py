"""Parsing a block: by both parsers, so that a record is rejected only when neither can read it."""

from __future__ import annotations

from discogs.records.arrow_parser import ArrowParser, Unsupported
from discogs.records.block import Block, ParsedBlock, Rejected, join_parsed
from discogs.records.lxml_parser import LxmlParser
from discogs.records.schema_drift import SchemaDrift
from discogs.schema.entities import Entity


class Parser:
    """Parses blocks of one entity; one instance may be shared by threads.

    What becomes of a record depends on its bytes alone, not on its neighbours or on ``fast``.

    :param fast: False reads every record with LxmlParser, and with ArrowParser only what that
        rejects.
    """

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        self._lxml = LxmlParser(entity)
        self._arrow = ArrowParser(entity)
        self._fast = fast
        self._drift = SchemaDrift(entity)

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block, and the records of it that neither parser can read."""
        parsed = self._parse(block)
        parsed.findings.unmapped.update(self._drift.sample(block))
        return parsed

    def _parse(self, block: Block) -> ParsedBlock:
        if self._fast:
            try:
                return self._arrow.parse(block)
            except Unsupported:
                # One such record sends the whole block to LxmlParser.
                pass
        parsed = self._lxml.parse(block)
        if not parsed.rejected:
            return parsed
        # ArrowParser takes some records that are not well-formed, such as one with "--" in a
        # comment, and it may have taken this one among others that it supports.
        left: list[Rejected] = []
        mended: list[ParsedBlock] = []
        at = {int(offset): index for index, offset in enumerate(block.offsets)}
        for reject in parsed.rejected:
            try:
                mended.append(self._arrow.parse(block.single(at[reject.offset])))
            except Unsupported:
                left.append(reject)
        parsed.rejected = left
        return join_parsed([parsed, *mended]) if mended else parsed
