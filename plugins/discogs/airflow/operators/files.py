"""The dump's files: which, fetched, and checked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator, disk_of
from discogs.airflow.operators.links import DumpListingLink

if TYPE_CHECKING:
    from airflow.sdk import Context

# Between two looks whether another month is still being processed: not often, and not so soon that
# Airflow's scheduler meets the task queued anew before it has heard that it went to wait.
_VERIFY_ATTEMPTS = 3
_TURN_SECONDS = (10.0, 60.0)


class FetchChecksumsOperator(DiscogsOperator):
    """Takes the month for this run, reads its CHECKSUM, and returns the files to fetch."""

    operator_extra_links = (DumpListingLink(),)
    ui_color = "#d9e8f5"

    def work(self, context: Context) -> list[dict[str, Any]]:
        from discogs.database.locking import advisory_lock
        from discogs.load.options import month_lock

        plan, life = self.options, self.life(context)
        key = month_lock(self.settings.schema, plan.month)
        with self.postgres.connect() as conn, advisory_lock(conn, key, wait=0):
            life.claim(lambda run: self.is_alive(context, run))
        with self.dumps.source(self.settings) as source:
            dump = source.find(plan.month, plan.entities)
            files = life.wanted(plan, dump, source.checksums(dump))
        self.storage.require_space_for((wanted.file.name, wanted.file.size) for wanted in files)
        for wanted in files:
            self.log.info("%s: SHA-256 %s", wanted.file.url, wanted.sha256)
        return [wanted.as_dict() for wanted in files]


class _FileOperator(DiscogsOperator):
    """A step of one file.

    :param file: one of those that :class:`FetchChecksumsOperator` returns.
    """

    operator_extra_links = (DumpListingLink(),)

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "file")
    template_fields_renderers = {**DiscogsOperator.template_fields_renderers, "file": "json"}  # noqa: RUF012

    def __init__(self, *, file: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file


class DownloadOperator(_FileOperator):
    """Fetches one file of the dump: resumed, retried, hashed while it is written.

    ``{{ discogs_entity }}`` names its map index, as it does that of :class:`ChecksumOperator`.
    """

    ui_color = "#d9e8f5"

    def work(self, context: Context) -> dict[str, Any] | None:
        from discogs.load.options import PlannedFile

        wanted = PlannedFile.from_dict(self.file)
        context["discogs_entity"] = str(wanted.entity)  # type: ignore[typeddict-unknown-key]
        with self.dumps.source(self.settings) as source:
            report = self.life(context).fetch(source, self.storage, wanted)
        if report is None:
            self.log.info("The month is completed: nothing is fetched.")
            return None
        return report.as_dict()

    def measure(self, result: dict[str, Any]) -> None:
        from discogs.load.options import PlannedFile

        metrics.downloaded(str(PlannedFile.from_dict(self.file).entity), result)
        metrics.disk(disk_of(self.storage))


class ChecksumOperator(_FileOperator):
    """Compares one stored file with its published SHA-256; one that differs is fetched again."""

    ui_color = "#d9e8f5"

    def work(self, context: Context) -> dict[str, Any] | None:
        from discogs.load.options import PlannedFile

        wanted = PlannedFile.from_dict(self.file)
        context["discogs_entity"] = str(wanted.entity)  # type: ignore[typeddict-unknown-key]
        with self.dumps.source(self.settings) as source:
            checksum = self.life(context).verify(
                source, self.storage, wanted, attempts=_VERIFY_ATTEMPTS
            )
        return checksum.as_dict() if checksum is not None else None


class ReadyOperator(DiscogsOperator):
    """All files are there and right, and it is this month's turn to be processed.

    While another month is, the task waits in the triggerer. Returns the numbers of the shards to
    stage.

    :param files: those that :class:`FetchChecksumsOperator` returns.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "files")
    ui_color = "#d9e8f5"

    def __init__(self, *, files: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files = files

    def work(self, context: Context) -> list[int]:
        from discogs.database.locking import advisory_lock
        from discogs.load.options import PlannedFile

        life = self.life(context)
        life.ready([PlannedFile.from_dict(item) for item in self.files])
        with self.postgres.connect() as conn, advisory_lock(conn, f"turn:{self.settings.schema}"):
            other = life.take_turn(lambda run: self.is_alive(context, run))
        if other is not None:
            self.log.info("%s is being processed by %s: waiting.", other.month, other.run)
            self._wait()
        return list(range(self.options.shards))

    def resume(self, context: Context, event: Any) -> list[int]:
        """Called when the wait is over."""
        shards: list[int] = self.execute(context)
        return shards

    def _wait(self) -> None:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        low, high = _TURN_SECONDS
        pause = dt.timedelta(seconds=max(low, min(self.settings.poll_seconds, high)))
        self.defer(trigger=TimeDeltaTrigger(pause), method_name="resume")
