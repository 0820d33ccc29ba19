"""What each task's page says of it: what it does, and what may be done when it fails."""

from __future__ import annotations

from typing import Any

_AGAIN = "\n\nMay be cleared at any time: it finds what is done already."

_DOCS = {
    "resolve_month": "Which month the run is for: its partition key, else *Month* in the form, else"
    " the month it starts in. Fails when two of them differ.",
    "migrate": "Brings the tables up to date (`include/sql/migrations`), each migration once, in a"
    " transaction of its own.",
    "month_pending": "Ends the run here when the month is loaded and its CHECKSUM is the one it was"
    " loaded from. Fails when the month has failed `DISCOGS_MAX_ATTEMPTS` times: trigger it with"
    " *Force* when the cause is gone.",
    "wait_for_dump": "Waits, in the triggerer, for the month's CHECKSUM, which Discogs publishes"
    " last. Skipped after 20 hours (the next day's run looks again)"
    " and for a month that was never published.",
    "fetch_checksums": "Takes the month for this run, so that no other works on it, and reads which"
    " files it needs and their SHA-256.",
    "download": "Fetches one file: resumed where the server can, retried, hashed while it is"
    " written. A file that is there and whole is not fetched again.",
    "checksum": "Compares a file with its published SHA-256. One that differs is deleted: clear its"
    " task `download`.",
    "ready": "All files are there and right: the month is `ready_for_processing`. Waits, in the"
    " triggerer, while another month is being processed.",
    "stage": "Reads the file, leaves unchanged records aside by their fingerprint, parses the rest"
    " and copies their rows into staging tables. Replaces whatever an earlier try has staged.",
    "merge": "Brings the staged rows into the entity's tables, in one transaction: readers see the"
    " month before or the month after. Refuses a dump that shrank by more than"
    " `DISCOGS_MAX_SHRINK`; *Allow shrink* takes it.",
    "checks": "Counts and references of the merged tables. The SQL is in `include/sql/checks`.",
    "complete": "The month is `completed`. Logs its report, and emits the assets' events.",
    "cleanup": "Deletes files that `DISCOGS_KEEP_MONTHS` lets go, stale `.part` files, and staging"
    " tables that no month needs. What cannot be deleted is only logged.",
}


def document(dag: Any) -> None:
    """Give every task its text; mapped ones too, whose constructor has not run yet."""
    for task in dag.tasks:
        name = task.task_id.rpartition(".")[2]
        text = _DOCS[name] + _AGAIN
        if task.is_mapped:
            task.partial_kwargs["doc_md"] = text
        else:
            task.doc_md = text
