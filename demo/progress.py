"""Shows a run's tasks: a live table on a terminal, else one line for each change."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from demo.client import AirflowClient, TaskState

_STYLES = {
    "success": "green",
    "running": "cyan",
    "failed": "bold red",
    "upstream_failed": "red",
    "skipped": "magenta",
    "deferred": "blue",
    "up_for_retry": "yellow",
}
_QUIET = {None, "removed", "scheduled", "queued"}


class RunProgress:
    """A context manager that shows the progress of a run."""

    def __init__(self, console: Console, client: AirflowClient, dag_id: str, title: str) -> None:
        self._console, self._client, self._dag_id, self._title = console, client, dag_id, title
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._seen: dict[str, str | None] = {}
        self._started = time.monotonic()

    def __enter__(self) -> RunProgress:
        if self._live is not None:
            self._live.start()
        else:
            self._console.print(f"{self._title}: started")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, run_id: str) -> None:
        """Ask Airflow for the tasks, and show what changed."""
        tasks = self._client.task_states(self._dag_id, run_id)
        if self._live is not None:
            self._live.update(self._table(tasks))
            return
        seconds = time.monotonic() - self._started
        for task in tasks:
            if self._seen.get(task.name) != task.state:
                self._seen[task.name] = task.state
                if task.state not in _QUIET and task.state != "running":
                    took = f" in {task.seconds:.1f} s" if task.seconds is not None else ""
                    self._console.print(
                        f"{self._title} {seconds:5.1f} s  {task.name}: {task.state}{took}",
                        highlight=False,
                        markup=False,
                    )

    def _table(self, tasks: list[TaskState]) -> Table:
        seconds = time.monotonic() - self._started
        table = Table(title=f"{self._title}  {seconds:.0f} s", title_justify="left", box=None)
        table.add_column("task")
        table.add_column("state")
        table.add_column("seconds", justify="right")
        for task in tasks:
            if task.state not in _QUIET:
                style = _STYLES.get(task.state or "", "")
                took = f"{task.seconds:.1f}" if task.seconds is not None else ""
                table.add_row(escape(task.name), Text(task.state or "", style), took)
        return table
