"""Progress bars, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """A progress bar for each name passed to :meth:`update`, on stderr if it is a terminal.

    :param unit: what is counted, unless an update passes another unit; ``bytes`` are shown in MB.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=Console(file=sys.stderr),
            )
            self._progress.start()
        return self

    def update(self, name: str, done: int, total: int | None, unit: str | None = None) -> None:
        """Show the progress of ``name``; may be called from several threads."""
        if self._progress is None:
            return
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, count="")
        size, form = (1e6, ",.1f") if (unit or self._unit) == "bytes" else (1, ",.0f")
        known = "?" if total is None else format(total / size, form)
        count = f"{format(done / size, form)} of {known}{' MB' if size > 1 else ''}"
        self._progress.update(self._tasks[name], completed=done, total=total, count=count)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
