"""Parsing a block: ArrowParser where it can, LxmlParser where it must."""

from __future__ import annotations

from discogs.records.arrow_parser import ArrowParser, Unsupported
from discogs.records.block import Block, ParsedBlock
from discogs.records.lxml_parser import LxmlParser
from discogs.records.schema_drift import SchemaDrift
from discogs.schema.entities import Entity


class Parser:
    """Parses blocks of one entity; one instance may be shared by threads.

    :param fast: False reads every record with LxmlParser.
    """

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        self._lxml = LxmlParser(entity)
        self._arrow = ArrowParser(entity) if fast else None
        self._drift = SchemaDrift(entity)

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block, and the records of it that neither parser can read."""
        parsed = self._parse(block)
        parsed.unmapped.update(self._drift.sample(block))
        return parsed

    def _parse(self, block: Block) -> ParsedBlock:
        if self._arrow is not None:
            try:
                return self._arrow.parse(block)
            except Unsupported:
                # One such record sends the whole block to LxmlParser; only the records that fail
                # there as well are rejected.
                pass
        return self._lxml.parse(block)
