"""One way to parse a block, whichever parser reads it."""

from __future__ import annotations

from discogs.catalogue import Entity
from discogs.records.block import Block, ParsedBlock
from discogs.records.careful import CarefulEngine
from discogs.records.fast import FastEngine, Refused


class Engine:
    """Parses blocks: fast where it can, carefully where it must.

    :param fast: False reads every record with the careful parser.
    """

    def __init__(self, entity: Entity, *, fast: bool = True) -> None:
        self.careful = CarefulEngine(entity)
        self.fast = FastEngine(entity) if fast else None

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
