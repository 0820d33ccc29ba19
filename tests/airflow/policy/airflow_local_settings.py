"""A cluster policy for tests: no retries, and faults that cannot be caused otherwise.

A file ``<task id>`` in the folder ``DISCOGS_TEST_FAULTS`` makes that task fail at its start with
the file's text; a file ``<task id>.timeout`` holds the seconds that it may take.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any


def task_policy(task: Any) -> None:
    task.retries = 0  # a test sees the first failure
    folder = os.environ.get("DISCOGS_TEST_FAULTS")
    if folder is None or task.is_mapped:
        return
    fault, limit = (Path(folder) / f"{task.task_id}{end}" for end in ("", ".timeout"))
    if limit.exists():
        task.execution_timeout = dt.timedelta(seconds=float(limit.read_text()))
    if fault.exists():
        said = fault.read_text()

        def fail(_context: Any) -> None:
            raise RuntimeError(said)

        task._pre_execute_hook = fail
