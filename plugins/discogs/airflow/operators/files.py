"""The tasks of the dump's files: list, download, verify."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from urllib.parse import unquote

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

from discogs.airflow import metrics
from discogs.airflow.operators.base import DiscogsOperator, disk_of
from discogs.airflow.operators.links import DumpListingLink
from discogs.airflow.sensors import WAIT
from discogs.load.options import PlannedFile

if TYPE_CHECKING:
    from airflow.sdk import Context


# Bounds of the pause between two checks whether another month is still being processed. A shorter
# pause could queue the task again before Airflow's scheduler has recorded the deferral.
_TURN_SECONDS = (10.0, 60.0)


class FetchChecksumsOperator(DiscogsOperator):
    """Claims the month for this run, so that no other run works on it, and reads the files to
    download and their SHA-256 from its CHECKSUM.txt. The log has an estimate of the load.

    Fails at once when another run has claimed the month. Returns the files in the order in which
    they are downloaded.

    :param dump: the result of the sensor. Only the first attempt uses it, so that a cleared task
        asks the server again.
    """

    operator_extra_links = (DumpListingLink(),)
    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "dump")
    template_fields_renderers: ClassVar[dict[str, str]] = {"dump": "json"}

    def __init__(self, *, dump: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dump = dump

    def work(self, context: Context) -> list[dict[str, Any]]:
        from discogs.dumps.fetch import FETCH_ORDER
        from discogs.dumps.listing import DumpSet
        from discogs.load.estimate import estimate
        from discogs.load.locks import holding_month

        run = self.month_run(context)
        # The command `load` holds this lock while it loads the month.
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
            self.log.info("%s: SHA-256 %s", planned.name, planned.sha256)
        in_order = sorted(files, key=lambda planned: FETCH_ORDER.index(planned.entity))
        return [planned.as_dict() for planned in in_order]


class _FileOperator(DiscogsOperator):
    """A step of one file.

    :param file: one of those that :class:`FetchChecksumsOperator` returns.
    """

    operator_extra_links = (DumpListingLink(),)

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "file")
    template_fields_renderers: ClassVar[dict[str, str]] = {"file": "json"}

    def __init__(self, *, file: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = file

    @property
    def planned(self) -> PlannedFile:
        return PlannedFile.from_dict(self.file)


class DownloadOperator(_FileOperator):
    """Downloads one file, and hashes it while writing. An interrupted download is resumed if the
    server can do that, and a file that is already complete is not downloaded again.

    If the server does not yet have a file that CHECKSUM.txt names, the task is deferred and tries
    again later, for as long as a run waits for a dump. Returns the input of the checksum task.
    """

    _since: dt.datetime | None = None

    def work(self, context: Context) -> dict[str, Any]:
        from discogs.dumps.errors import DumpNotPublished, NotAGzipFile

        try:
            with self.source() as source:
                planned = self.planned
                self.doing = f"downloading {planned.name}"
                size = f"{planned.file.size:,} bytes" if planned.file.size else "of unknown size"
                self.log.info("%s, %s, from %s", planned.name, size, unquote(planned.file.url))
                report = self.month_run(context).fetch(source, planned)
        except (DumpNotPublished, NotAGzipFile) as error:
            self._look_again(error)
        except Exception:
            metrics.download_failed(str(self.planned.entity))
            raise
        if report is None:
            self.log.info("The month is completed: nothing is fetched.")
        return {**self.file, "download": report.as_dict() if report is not None else None}

    def resume(self, context: Context, event: Any, since: str) -> dict[str, Any]:
        """Called when the wait is over."""
        self._since = dt.datetime.fromisoformat(since)
        report: dict[str, Any] = self.execute(context)
        return report

    def _look_again(self, error: Exception) -> NoReturn:
        now = dt.datetime.now(dt.timezone.utc)
        since = self._since or now
        if now - since >= WAIT:
            metrics.download_failed(str(self.planned.entity))
            raise error
        self.log.warning("%s The task is deferred, and will try again.", error)
        self.defer(
            trigger=TimeDeltaTrigger(dt.timedelta(seconds=self.settings.poll_seconds)),
            method_name="resume",
            kwargs={"since": since.isoformat()},
        )

    def measure(self, result: dict[str, Any]) -> None:
        if result["download"] is not None:
            metrics.downloaded(result["entity"], result["download"])
            metrics.disk(disk_of(self.storage))


class ChecksumOperator(_FileOperator):
    """Compares a stored file with its published SHA-256. A file that differs is deleted, and the
    task fails: clear the `download` task of that file.
    """

    def work(self, context: Context) -> dict[str, Any] | None:
        with self.source() as source:
            planned = self.planned
            self.doing = f"verifying {planned.name}"
            self.log.info("Computing the SHA-256 of %s in %s.", planned.name, source.storage)
            checksum = self.month_run(context).verify(source, planned, self.log_progress())
        if checksum is None:
            self.log.info("The month is completed: nothing is verified.")
        else:
            self.log.info("%s has the published SHA-256, %s.", planned.name, checksum.actual)
        return checksum.as_dict() if checksum is not None else None


class ReadyOperator(DiscogsOperator):
    """All files are verified: sets the month to `ready_for_processing`. Waits in the triggerer
    while another month is being processed.

    Returns the shards to stage.
    """

    def work(self, context: Context) -> list[dict[str, int]]:
        run, files = self.month_run(context), self.files(context)
        run.ready(files)
        self.log.info("%s: %d files are there and verified.", run.month, len(files))
        other = run.take_turn()
        if other is not None:
            self.log.info("%s is being processed by %s: waiting.", other.month, other.run)
            self._wait()
        shards = run.options.shards
        parts = f"{shards} parts" if shards > 1 else "one part"
        self.log.info("It is the turn of %s: each file is staged in %s.", run.month, parts)
        return [{"shard": shard, "shards": shards} for shard in range(shards)]

    def resume(self, context: Context, event: Any) -> list[dict[str, int]]:
        """Called when the wait is over."""
        shards: list[dict[str, int]] = self.execute(context)
        return shards

    def _wait(self) -> None:
        low, high = _TURN_SECONDS
        pause = dt.timedelta(seconds=max(low, min(self.settings.poll_seconds, high)))
        self.defer(trigger=TimeDeltaTrigger(pause), method_name="resume")
