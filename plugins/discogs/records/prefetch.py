"""Running an iterator ahead in a thread, so that decompression overlaps with what follows it."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: How many items are made ahead.
_AHEAD = 2
#: In place of Python's 5 ms.
_SWITCH_SECONDS = 0.0005


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """The same items, made ahead in a thread, which ends with the iterator.

    :raises BaseException: whatever making an item raises.
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
    """Let threads that wait for the GIL have it sooner, in the whole process.

    Decompressing a piece takes a thread about as long, and it would otherwise wait that time
    again before it can hand the piece on.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
