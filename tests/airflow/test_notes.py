"""The note of a run."""

from __future__ import annotations

from types import SimpleNamespace

from discogs.airflow import notes
from discogs.schema.entities import Month

REPORT = {
    "seconds": 75.2,
    "entities": {
        "labels": {"read": 1234, "inserted": 0, "updated": 0, "removed": 0, "restored": 0}
        | {"rejected": 0},
        "releases": {"read": 19_000_000, "inserted": 36, "updated": 178, "removed": 5}
        | {"restored": 0, "rejected": None},
    },
}


def test_a_note_says_what_a_month_has_brought() -> None:
    run = SimpleNamespace(note=None)
    notes.write(run, Month(2026, 10), "running.")
    assert run.note == "**Discogs 2026-10**: running."
    notes.write(run, Month(2026, 10), notes.loaded(REPORT))
    assert run.note == (
        "**Discogs 2026-10**: loaded in 1:15: 19,001,234 read, 36 inserted, 178 updated, 5 removed."
        "\n\n"
        "- labels: 1,234 read, nothing changed\n"
        "- releases: 19,000,000 read, 36 inserted, 178 updated, 5 removed"
    )


def test_what_a_person_has_written_stays() -> None:
    run = SimpleNamespace(note="Ask Eva before clearing.")
    for text in ("running.", "failed. stage.labels: " + "x" * 2000):
        notes.write(run, Month(2026, 10), text)
    assert run.note.startswith("Ask Eva before clearing.\n\n**Discogs 2026-10**: failed. stage")
    assert len(run.note) == 1000
