"""One way to parse a block, whichever parser reads it."""

from __future__ import annotations

from discogs.records.arrow_parser import ArrowParser, Refused
from discogs.records.block import Block, ParsedBlock
from discogs.records.lxml_parser import LxmlParser
from discogs.schema.entities import Entity


class Parser:
    """Parses blocks: fast where it can, carefully where it must.

    :param fast: False reads every record with the careful parser.
    """

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        self.careful = LxmlParser(entity)
        self.fast = ArrowParser(entity) if fast else None

    def parse(self, block: Block) -> ParsedBlock:
        """The rows of a block, and the records of it that nobody could read."""
        if self.fast is not None:
            try:
                return self.fast.parse(block)
            except Refused:
                # One odd record makes the whole block take the slower way; only the records
                # that fail there as well are rejected.
                pass
        return self.careful.parse(block)
