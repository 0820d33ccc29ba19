"""How a file's row changes while the file is fetched."""

from __future__ import annotations

import dataclasses
import datetime as dt

from discogs.tracking.model import FileRecord, FileState

_COMPLETE = {FileState.DOWNLOADED, FileState.VERIFIED}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileChange:
    """A change of a file's row; None leaves a column unchanged.

    ``state=DOWNLOADING`` starts an attempt, so progress is recorded without a state.
    """

    state: FileState | None = None
    url: str | None = None
    size: int | None = None
    bytes_done: int | None = None
    sha256: str | None = None
    error_message: str | None = None
    attempts: int | None = None


def change(record: FileRecord, new: FileChange, now: dt.datetime) -> FileRecord:
    """The row after a change."""
    given = {
        name: value for name, value in vars(new).items() if value is not None and name != "state"
    }
    state = new.state or record.state
    if new.state is None and new.bytes_done is not None and state is FileState.FAILED:
        state = FileState.DOWNLOADING  # the run failed, its download still runs
    if state is not FileState.FAILED:
        given["error_message"] = None
    after = dataclasses.replace(record, **given, state=state, updated_at=now)
    if new.state is FileState.DOWNLOADING:
        # bytes_done is kept: the download may be resumed.
        return dataclasses.replace(
            after,
            attempts=record.attempts + 1,
            sha256=new.sha256,
            started_at=now,
            completed_at=None,
        )
    if state in _COMPLETE and record.completed_at is None:
        return dataclasses.replace(after, completed_at=now)
    return after
