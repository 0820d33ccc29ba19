"""The ids that have occurred in a file: a bitmap, in pages that are allocated on demand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_PAGE_BITS = 20


class SeenIds:
    """A set of ids."""

    def __init__(self) -> None:
        self._pages: dict[int, npt.NDArray[np.uint8]] = {}

    def see(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Add ids.

        :returns: which of them are new, and occur for the first time in ``ids``.
        """
        first = np.zeros(len(ids), np.bool_)
        _, positions = np.unique(ids, return_index=True)
        first[positions] = True
        for number, mine in _by_page(ids):
            page = self._page(number)
            at, bit = _bits(ids[mine])
            first[mine] &= (page[at] & bit) == 0
            np.bitwise_or.at(page, at, bit)
        return first

    def add(self, other: SeenIds) -> None:
        """Add the ids of another set."""
        for number, page in other._pages.items():
            self._page(number)[:] |= page

    def ids(self) -> Iterator[npt.NDArray[np.int32]]:
        """The ids in ascending order, in arrays of at most a page."""
        for number in sorted(self._pages):
            bits = np.unpackbits(self._pages[number], bitorder="little")
            yield (np.flatnonzero(bits) + (number << _PAGE_BITS)).astype(np.int32)

    def has(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which of some ids are in the set."""
        found = np.zeros(len(ids), np.bool_)
        for number, mine in _by_page(ids):
            if number in self._pages:
                at, bit = _bits(ids[mine])
                found[mine] = (self._pages[number][at] & bit) != 0
        return found

    def _page(self, number: int) -> npt.NDArray[np.uint8]:
        # A page is a bitmap of about a million ids, in 128 KiB.
        return self._pages.setdefault(number, np.zeros(1 << (_PAGE_BITS - 3), np.uint8))


def _by_page(ids: npt.NDArray[np.int32]) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    pages = ids >> _PAGE_BITS
    for number in np.unique(pages).tolist():
        yield number, pages == number


def _bits(ids: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """The byte and the bit of each id in its page."""
    offsets = ids & ((1 << _PAGE_BITS) - 1)
    return offsets >> 3, (1 << (offsets & 7)).astype(np.uint8)
