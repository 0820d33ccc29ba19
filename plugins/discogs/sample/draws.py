"""Pseudo-random numbers that depend only on the seed and a record's id."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import shake_128
from itertools import cycle
from struct import Struct

from discogs.schema.entities import Entity

Draw = Callable[[], int]

_COUNT = 511
_UNPACK = Struct(f"<{_COUNT}H").unpack_from
_LETTERS = 3 * 64


class Draws:
    """The pseudo-random numbers of one entity's records, the same on every machine.

    SHAKE128 is several times faster than seeding Python's generator for each record.
    """

    def __init__(self, seed: int, entity: Entity) -> None:
        self._start = shake_128(f"discogs sample {seed} {entity}:".encode())

    def of(self, record_id: int) -> tuple[Draw, str]:
        """A function that returns the record's next 16-bit number, and 256 letters.

        The numbers repeat after 511, which only the largest records exceed.
        """
        data = self._digest(b"%d" % record_id, 2 * _COUNT + _LETTERS)
        letters = urlsafe_b64encode(data[2 * _COUNT :]).decode("ascii")
        return cycle(_UNPACK(data)).__next__, letters

    def of_edit(self, record_id: int, version: int) -> Draw:
        """The numbers for the addition of a version, which do not change the rest of the record."""
        return cycle(_UNPACK(self._digest(b"%d/%d" % (record_id, version), 2 * _COUNT))).__next__

    def _digest(self, identity: bytes, size: int) -> bytes:
        state = self._start.copy()
        state.update(identity)
        return state.digest(size)
