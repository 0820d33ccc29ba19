"""The dump's files: which, fetched, and checked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator, disk_of, planned_files
from discogs.airflow.operators.links import DumpListingLink
from discogs.airflow.sensors import WAIT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.load.options import PlannedFile

# Between two looks whether another month is still being processed: not often, and not so soon that
# Airflow's scheduler meets the task queued anew before it has heard that it went to wait.
_TURN_SECONDS = (10.0, 60.0)


class FetchChecksumsOperator(DiscogsOperator):
    """Claims the month for this run, reads its CHECKSUM, and returns the files to load.

    They are in the order in which they are fetched. The log says what the load will take.

    :param dump: what the sensor has found; only the first attempt relies on it, so that a task that
        is cleared looks again.
    """

    operator_extra_links = (DumpListingLink(),)
    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "dump")
    template_fields_renderers = {**DiscogsOperator.template_fields_renderers, "dump": "json"}  # noqa: RUF012
    ui_color = "#d9e8f5"

    def __init__(self, *, dump: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dump = dump

    def work(self, context: Context) -> list[dict[str, Any]]:
        from discogs.dumps.fetch import FETCH_ORDER
        from discogs.dumps.listing import DumpSet
        from discogs.load.estimate import estimate
        from discogs.load.locks import holding_month

        run = self.month_run(context)
        # A command that is at work on the month holds its lock.
        with holding_month(run.connect, run.settings.schema, run.month, wait=0):
            run.claim()
        with self.source() as source:
            if self.dump and context["ti"].try_number == 1:
                dump = DumpSet.from_dict(self.dump)
            else:
                dump = source.find(run.month, run.options.entities)
            for line in estimate(dump, source.storage, run.connect).lines():
                self.log.info("%s", line)
            files = run.plan(source, dump)
        for planned in files:
            self.log.info("%s: SHA-256 %s", planned.file.url, planned.sha256)
        in_order = sorted(files, key=lambda planned: FETCH_ORDER.index(planned.entity))
        return [planned.as_dict() for planned in in_order]


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

    def planned(self, context: Context) -> PlannedFile:
        """The file; its entity names the map index, as ``{{ discogs_entity }}``."""
        (planned,) = planned_files([self.file])
        context["discogs_entity"] = str(planned.entity)  # type: ignore[typeddict-unknown-key]
        return planned


class DownloadOperator(_FileOperator):
    """Fetches one file of the dump: resumed, retried, hashed while it is written.

    A file that CHECKSUM names and the server does not have yet is looked for again later, by the
    triggerer's clock, for as long as a dump is waited for.
    """

    ui_color = "#d9e8f5"
    _since: dt.datetime | None = None

    def work(self, context: Context) -> dict[str, Any] | None:
        from discogs.dumps.errors import DumpNotPublished, NotAGzipFile

        planned = self.planned(context)
        try:
            with self.source() as source:
                report = self.month_run(context).fetch(source, planned)
        except (DumpNotPublished, NotAGzipFile) as error:
            self._look_again(error)
        if report is None:
            self.log.info("The month is completed: nothing is fetched.")
            return None
        return report.as_dict()

    def resume(self, context: Context, event: Any, since: str) -> dict[str, Any] | None:
        """Called when the wait is over."""
        self._since = dt.datetime.fromisoformat(since)
        report: dict[str, Any] | None = self.execute(context)
        return report

    def _look_again(self, error: Exception) -> NoReturn:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        now = dt.datetime.now(dt.timezone.utc)
        since = self._since or now
        if now - since >= WAIT:
            raise error
        self.log.warning("%s The next look is in the triggerer.", error)
        self.defer(
            trigger=TimeDeltaTrigger(dt.timedelta(seconds=self.settings.poll_seconds)),
            method_name="resume",
            kwargs={"since": since.isoformat()},
        )

    def measure(self, result: dict[str, Any]) -> None:
        (planned,) = planned_files([self.file])
        metrics.downloaded(str(planned.entity), result)
        metrics.disk(disk_of(self.storage))


class ChecksumOperator(_FileOperator):
    """Compares one stored file with its published SHA-256; one that differs is deleted."""

    ui_color = "#d9e8f5"

    def work(self, context: Context) -> dict[str, Any] | None:
        planned = self.planned(context)
        with self.source() as source:
            checksum = self.month_run(context).verify(source, planned)
        return checksum.as_dict() if checksum is not None else None


class ReadyOperator(DiscogsOperator):
    """All files are there and verified, and it is this month's turn to be processed.

    While another month is processed, the task waits in the triggerer. Returns the numbers of the
    shards to stage.

    :param files: those that :class:`FetchChecksumsOperator` returns.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "files")
    ui_color = "#d9e8f5"

    def __init__(self, *, files: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files = files

    def work(self, context: Context) -> list[int]:
        run = self.month_run(context)
        run.ready(planned_files(self.files))
        other = run.take_turn()
        if other is not None:
            self.log.info("%s is being processed by %s: waiting.", other.month, other.run)
            self._wait()
        return list(range(run.options.shards))

    def resume(self, context: Context, event: Any) -> list[int]:
        """Called when the wait is over."""
        shards: list[int] = self.execute(context)
        return shards

    def _wait(self) -> None:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        low, high = _TURN_SECONDS
        pause = dt.timedelta(seconds=max(low, min(self.settings.poll_seconds, high)))
        self.defer(trigger=TimeDeltaTrigger(pause), method_name="resume")
