"""The note of a run: which month it is for, and how it ended, in Markdown.

Airflow shows it on the run's page and in the list of runs. A user's own text in it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discogs.progress import duration

#: XCom key of a task's summary of the run: the error, the reason for skipping, or the counts.
SUMMARY = "summary"
_MARK = "**Discogs "
_COUNTS = ("read", "inserted", "updated", "removed", "restored", "rejected")
_LONGEST = 1000  # characters, Airflow's limit


def write(dag_run: Any, month: object, text: str) -> None:
    """Write a text into a run's note, replacing what the package wrote there before.

    :param dag_run: Airflow's own object, in a session that is committed by the caller.
    """
    written = dag_run.note or ""
    own = written.partition(_MARK)[0].rstrip()
    start = f"{own}\n\n" if own else ""
    note = f"{start}{_MARK}{month}**: {text}"
    if len(note) > _LONGEST:
        note = note[: _LONGEST - 1] + "…"
    if note != written:
        dag_run.note = note


def loaded(report: Mapping[str, Any]) -> str:
    """The summary of a loaded month.

    :param report: as ``MonthReport.as_dict`` makes it.
    """
    entities = report["entities"]
    # Airflow shows the first line, and the others when the note is opened.
    total = {name: sum(counts[name] or 0 for counts in entities.values()) for name in _COUNTS}
    lines = [f"loaded in {duration(report['seconds'] or 0)}: {_counted(total)}.", ""]
    lines += [f"- {entity}: {_counted(counts)}" for entity, counts in entities.items()]
    return "\n".join(lines)


def _counted(counts: Mapping[str, Any]) -> str:
    read, *changes = _COUNTS
    changed = [f"{counts[name]:,} {name}" for name in changes if counts[name]]
    return f"{counts[read] or 0:,} read, {', '.join(changed) or 'nothing changed'}"
