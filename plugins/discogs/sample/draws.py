"""Random numbers that depend on a record's identity alone."""

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
    """The draws of one entity: the same seed and id give the same ones, on every machine.

    SHAKE128 is several times faster than seeding Python's own generator for each record,
    and, unlike it, promised to give the same bytes for ever.
    """

    def __init__(self, seed: int, entity: Entity) -> None:
        self._start = shake_128(f"discogs sample {seed} {entity}:".encode())

    def of(self, record_id: int) -> tuple[Draw, str]:
        """A function that gives the record's next 16-bit number, and 256 letters of its own.

        After 511 numbers they come round again: only the largest records ask for more.
        """
        state = self._start.copy()
        state.update(b"%d" % record_id)
        data = state.digest(2 * _COUNT + _LETTERS)
        letters = urlsafe_b64encode(data[2 * _COUNT :]).decode("ascii")
        return cycle(_UNPACK(data)).__next__, letters

    def of_edit(self, record_id: int, version: int) -> Draw:
        """A function like that of :meth:`of` for what one change adds to a record.

        With numbers of its own an edit leaves the rest of the record as it was.
        """
        state = self._start.copy()
        state.update(b"%d/%d" % (record_id, version))
        return cycle(_UNPACK(state.digest(2 * _COUNT))).__next__
