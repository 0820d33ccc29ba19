"""Running an iterator ahead in a thread, so that decompression overlaps with the next steps."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: How many items the thread is ahead.
_AHEAD = 2
#: Python's default is 0.005.
_SWITCH_SECONDS = 0.0005


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """The items of an iterator that runs ahead in a thread, which ends with this generator.

    :raises BaseException: any error that the iterator raises.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=_AHEAD)
    stop = threading.Event()

    def offer(item: tuple[T | None, BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not offer((item, None)):
                    return
            offer((None, StopIteration()))
        except BaseException as error:
            offer((None, error))

    thread = threading.Thread(target=make, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Set a shorter switch interval of the GIL, in the whole process.

    A thread that has decompressed a piece would otherwise wait up to 5 ms for the GIL, about as
    long as the decompression took.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
