"""Whether there is anything to do for a month, before a run claims it."""

from __future__ import annotations

from dataclasses import dataclass

from discogs.dumps.errors import SourceError
from discogs.load.errors import RetryLimitReached
from discogs.load.options import RunOptions
from discogs.load.source import Source
from discogs.tracking.model import MonthRecord, RunIdentity, Status


@dataclass(frozen=True)
class Pending:
    """Whether a month is to be loaded, and why or why not."""

    pending: bool
    reason: str


def is_pending(
    record: MonthRecord, options: RunOptions, source: Source, *, run: RunIdentity, limit: int
) -> Pending:
    """Whether a run has anything to do for its month.

    :param record: the month's row, already reconciled: a run that it names as at work is alive.
    :param source: queried only when the month is completed, for files that were uploaded again.
    :param limit: the number of failed attempts from which on the month is loaded only with force.
    :raises RetryLimitReached: when the limit is reached.
    """
    month, entities = options.month, options.entities
    if record.status.at_work and not record.is_of(run):
        return Pending(
            False,
            f"{month} is {record.status} in another run, {record.owner(run)}, so this run is"
            " skipped.",
        )
    if options.force:
        return Pending(True, f"{month} is {record.status}, and a load is forced")
    if record.status is Status.FAILED and not record.is_of(run):
        if record.retry_count >= limit:
            raise RetryLimitReached(month, record.retry_count, limit, record.error_message)
        return Pending(True, f"{month} has failed {record.retry_count} times so far")
    if record.status is not Status.COMPLETED:
        return Pending(True, f"{month} is {record.status}")
    missing = [str(entity) for entity in entities if str(entity) not in record.processing_stats]
    if missing:
        return Pending(True, f"{month} is completed without {', '.join(missing)}")
    try:
        published = source.checksums(source.find(month, entities))
    except SourceError as error:
        return Pending(False, f"{month} is completed ({error})")
    changed = record.not_loaded(entities, published.values())
    if changed:
        names = ", ".join(map(str, changed))
        return Pending(True, f"{month} is completed, but was published again: {names}")
    return Pending(False, f"{month} is completed, and nothing new is published")
