"""What can be done with the months' rows, whatever holds them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from discogs.schema.entities import Entity, Month
from discogs.tracking.model import (
    FileChecksum,
    FileRecord,
    FileState,
    MonthRecord,
    RunIdentity,
    Status,
)

CLAIMABLE = (Status.NOT_STARTED, Status.FAILED)

#: Makes of a row, and of the time now, the row that shall be there; None leaves it as it is.
Rule = Callable[[MonthRecord, dt.datetime], MonthRecord | None]


class MonthRepository(Protocol):
    """The months' rows and their files' rows.

    Methods that change a month raise :class:`~discogs.errors.MonthUnknown` when it has no row,
    except :meth:`ensure` and :meth:`claim`, which make it.
    """

    def get(self, month: Month) -> MonthRecord | None: ...

    def all(self) -> list[MonthRecord]:
        """Every month's row, oldest month first."""
        ...

    def ensure(self, month: Month) -> MonthRecord:
        """The month's row, made ``not_started`` when there is none."""
        ...

    def claim(
        self,
        month: Month,
        run: RunIdentity,
        from_statuses: Collection[Status] = CLAIMABLE,
        *,
        to: Status = Status.DOWNLOADING,
    ) -> MonthRecord | None:
        """Take a month for a run: of all who ask at once, one gets it.

        A run that has the month at work already gets its row again, unchanged.

        :returns: None when the month is at work in another run or not in ``from_statuses``.
        :raises IllegalTransition: when ``to`` cannot follow the month's status.
        """
        ...

    def move(
        self,
        month: Month,
        to: Status,
        *,
        run: RunIdentity,
        error_message: str | None = None,
    ) -> MonthRecord:
        """Move a month on; to where it stands already is harmless and changes nothing.

        A move to ``failed`` counts as a failed attempt and keeps ``error_message``.

        :raises IllegalTransition: naming both states.
        :raises MonthTaken: when another run has the month; see
            :func:`discogs.tracking.transitions.move`.
        """
        ...

    def change(self, month: Month, rule: Rule) -> MonthRecord | None:
        """Apply a rule of :mod:`discogs.tracking.transitions` to a month's row, atomically.

        :param rule: asked again when somebody moved the row meanwhile.
        :returns: what the rule returned.
        """
        ...

    def reset_retries(self, month: Month) -> MonthRecord:
        """Count failed attempts from 0 again: an operator has seen to the cause."""
        ...

    def record_published(
        self, month: Month, dump_date: dt.date | None, expected: Mapping[str, str]
    ) -> MonthRecord:
        """Keep what Discogs published: the dump's day, and file name to SHA-256.

        What was computed for a file stays while its published checksum does; files that are no
        longer listed go.
        """
        ...

    def record_checksums(self, month: Month, checksums: Mapping[str, FileChecksum]) -> MonthRecord:
        """Keep what was computed for some files; those of other files stay as they are."""
        ...

    def record_entity_stats(
        self, month: Month, entity: Entity, stats: Mapping[str, Any]
    ) -> MonthRecord:
        """Keep an entity's numbers (JSON-able) in place of earlier ones."""
        ...

    def record_file(
        self,
        month: Month,
        file_name: str,
        *,
        state: FileState | None = None,
        url: str | None = None,
        size: int | None = None,
        bytes_done: int | None = None,
        sha256: str | None = None,
    ) -> FileRecord:
        """Keep how a file's download stands; see :class:`discogs.tracking.files.FileChange`."""
        ...

    def files(self, month: Month) -> list[FileRecord]:
        """The month's files by name."""
        ...
