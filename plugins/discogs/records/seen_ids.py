"""Which ids a file has shown so far: a bit an id, in pages made as they are met."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_PAGE_BITS = 20


class SeenIds:
    """Tells the first record of an id from a second one, for files of any size."""

    def __init__(self) -> None:
        self._pages: dict[int, npt.NDArray[np.uint8]] = {}

    def first(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which of these ids come for the first time; all are known afterwards."""
        fresh = np.zeros(len(ids), np.bool_)
        _, places = np.unique(ids, return_index=True)
        fresh[places] = True
        pages = ids >> _PAGE_BITS
        offsets = ids & ((1 << _PAGE_BITS) - 1)
        for number in np.unique(pages).tolist():
            # Packed to bits, a page holds a million ids in 128 KiB.
            packed = self._pages.setdefault(number, np.zeros(1 << (_PAGE_BITS - 3), np.uint8))
            mine = pages == number
            at, bit = offsets[mine] >> 3, (1 << (offsets[mine] & 7)).astype(np.uint8)
            fresh[mine] &= (packed[at] & bit) == 0
            np.bitwise_or.at(packed, at, bit)
        return fresh
