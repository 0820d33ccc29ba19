"""What the operators share: the options of their run, connections, errors, cancellation."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator, ObjectStoragePath
from airflow.sdk.exceptions import (
    AirflowNotFoundException,
    AirflowSkipException,
    TaskDeferralError,
    TaskDeferred,
)

from discogs.airflow import installation, notes
from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.retries import translated
from discogs.airflow.runs import Run, run_options, task_name
from discogs.airflow.targets import DUMPS, POSTGRES, Target
from discogs.dumps.storage import DumpStorage
from discogs.errors import DiscogsError, InvalidSetting
from discogs.load.errors import MonthNotReady
from discogs.load.options import PlannedFile
from discogs.progress import Progress, Ticker
from discogs.settings import Settings, variable

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.database.connection import Connect
    from discogs.load.life import Heartbeat
    from discogs.load.options import RunOptions
    from discogs.load.run import MonthRun
    from discogs.load.source import ServerSource
    from discogs.schema.entities import Entity
    from discogs.tracking.model import MonthRecord, RunIdentity


log = logging.getLogger(__name__)

#: Seconds between two lines of progress in a log.
_PROGRESS_SECONDS = 5.0
#: Id of the task that returns the files to fetch. Other tasks pull its XCom by this id, since an
#: XComArg would make each of them depend on it directly.
FILES_FROM = "fetch_checksums"


class TaskStopped(BaseException):
    """The task was stopped by SIGTERM. Not an ``Exception``, so that no handler mistakes it for an
    error in the record or block that it interrupts."""


class WaitFailed(DiscogsError):
    """A wait in the triggerer ended with an error in place of an event."""

    transient = True

    def __init__(self, task_id: str, reason: object) -> None:
        super().__init__(
            f"The wait of {task_id} failed in the triggerer ({reason}): see the triggerer's log."
            " The package must be installed there."
        )


def documentation(kind: type) -> str:
    """A task's ``doc_md``: the docstring of its operator up to the parameters, as Markdown."""
    text, _, _ = inspect.cleandoc(kind.__doc__ or "").partition("\n:param")
    return text.strip().replace("``", "`")


class DiscogsOperator(BaseOperator):
    """A step of a month's run. The docstring of each subclass is the ``doc_md`` of its tasks.

    :param postgres_conn_id: connection of the target database.
    :param dumps_conn_id: HTTP connection of the dump server.
    :param overrides: settings by name, in place of those of the environment.
    """

    template_fields: Sequence[str] = ("postgres_conn_id", "dumps_conn_id", "overrides")

    options: RunOptions
    """The options of the run; set while the task is executed."""
    doing: str = ""
    """What the task is doing, for the message of a timeout, such as ``staging FILE``."""

    def __init__(
        self,
        *,
        postgres_conn_id: str = POSTGRES,
        dumps_conn_id: str = DUMPS,
        overrides: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"doc_md": documentation(type(self)), **kwargs})
        self.postgres_conn_id = postgres_conn_id
        self.dumps_conn_id = dumps_conn_id
        self.overrides = overrides
        self._working = False
        self._heartbeat: Heartbeat | None = None

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:  # a mapped task is constructed later
        return super().partial(**{"doc_md": documentation(cls), **kwargs})

    def execute(self, context: Context) -> Any:
        self._heartbeat = None
        with contextlib.ExitStack() as self._resources:
            self._working = True
            try:
                with PlainErrors(self.log, context):
                    self.options = run_options(context, self.settings)
                    result = self.work(context)
            except TaskDeferred as deferred:
                self._stay_alive(_pause(deferred))
                raise
            except BaseException as error:
                self._stay_alive(self._longest_retry(error))
                raise
            finally:
                self._working = False
        if result is not None:
            self.measure(result)
        return result

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Called when a wait in the triggerer is over, however it ended."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralError as failed:
            with PlainErrors(self.log, context):
                raise WaitFailed(self.task_id, failed) from failed

    def log_progress(self) -> Callable[[Progress], None]:
        """A callback that logs the progress of a step every few seconds."""
        ticker = Ticker(_PROGRESS_SECONDS)

        def log_progress(progress: Progress) -> None:
            if progress.unit == "bytes" and ticker.due():  # parts log themselves
                self.log.info("%s", progress)

        return log_progress

    def work(self, context: Context) -> Any:
        """Do the step; returns its result."""
        raise NotImplementedError

    def measure(self, result: Any) -> None:
        """Emit metrics of the step's result; none by default."""

    def on_kill(self) -> None:
        """Cancel the task's statements in the database, and interrupt its code.

        Airflow calls this in the main thread when the task gets SIGTERM, and expects the task to
        end; on a timeout it is called after the task's code was interrupted.
        """
        hook: DiscogsPostgresHook | None = self.__dict__.get("postgres")
        if hook is not None:
            hook.cancel()
        if self._working:
            raise TaskStopped(f"{self.task_id} was stopped by SIGTERM.")

    # Resources, opened on first use.

    @cached_property
    def settings(self) -> Settings:
        return Target.of(self).settings

    @cached_property
    def postgres(self) -> DiscogsPostgresHook:
        from discogs.airflow.hooks.postgres import DiscogsPostgresHook

        return DiscogsPostgresHook(self.postgres_conn_id, settings=self.settings)

    @property
    def dumps(self) -> DiscogsDumpsHook:
        return DiscogsDumpsHook(self.dumps_conn_id)

    @property
    def storage(self) -> DumpStorage:
        place = self.settings.storage
        root = self.object_path("storage") if "://" in place else place
        return DumpStorage(root, margin=self.settings.disk_margin)

    def object_path(self, setting: str) -> ObjectStoragePath:
        """The address in a setting, opened with its Airflow connection.

        :raises InvalidSetting: when Airflow has no filesystem for it.
        """
        address: str = getattr(self.settings, setting)
        try:
            return ObjectStoragePath(address)
        except ValueError as error:
            expected = f"a folder, or an address that Airflow has a filesystem for ({error})"
            raise InvalidSetting(variable(setting), address, expected) from None

    @contextlib.contextmanager
    def source(self) -> Iterator[ServerSource]:
        """The dump server, with the storage that its files are downloaded into."""
        from discogs.load.source import ServerSource

        with self.dumps.source(self.settings) as server:
            yield ServerSource(server, self.storage)

    def month_run(self, context: Context) -> MonthRun:
        """The steps of this run. A heartbeat shows other runs that this one is alive."""
        from discogs.load.life import Heartbeat
        from discogs.load.run import MonthRun

        connect = self.postgres.connect
        airflow = installation.ensure(connect, self.settings.schema)
        if self._heartbeat is None:
            self._heartbeat = self._resources.enter_context(Heartbeat(connect, airflow))
        run = Run.of(context["dag_run"])
        return MonthRun(
            connect=connect,
            settings=self.settings,
            options=self.options,
            identity=run.identity,
            since=run.started if run.started is not None else dt.datetime.now(dt.timezone.utc),
            is_alive=lambda record: run_is_alive(context, record, connect, self.settings.schema),
        )

    def files(self, context: Context, *, required: bool = True) -> list[PlannedFile]:
        """The files that this run fetches: from the XCom of the task that plans them or, if that
        was deleted, from the tracking rows.

        :param required: False for a task that also starts when the rest of the run is skipped.
        :raises MonthNotReady: when files are required and none are known.
        """
        found: Any = context["ti"].xcom_pull(task_ids=FILES_FROM)
        if found is not None:
            return [PlannedFile.from_dict(item) for item in found]
        planned = self.month_run(context).planned()
        if not planned and required:
            raise MonthNotReady(
                f"The files that {FILES_FROM} has listed are no longer known: clear that task and"
                " its downstream tasks."
            )
        return planned

    def file_of(self, context: Context, entity: Entity, *, required: bool = True) -> PlannedFile:
        """The file of an entity.

        :param required: as in :meth:`files`.
        :raises AirflowSkipException: when the run does not load the entity, or the entity was
            already loaded from the same file.
        """
        for planned in self.files(context, required=required):
            if planned.entity is entity:
                return planned
        raise AirflowSkipException(f"This run has no {entity} to load.")

    def _stay_alive(self, pause: dt.timedelta) -> None:
        if self._heartbeat is not None:
            self._heartbeat.extend(pause)

    def _longest_retry(self, error: BaseException) -> dt.timedelta:
        """The longest delay before the failed task is retried."""
        asked = getattr(error, "retry_after", None)
        longest = self.max_retry_delay or self.retry_delay
        seconds = longest.total_seconds() if isinstance(longest, dt.timedelta) else float(longest)
        return dt.timedelta(seconds=max(seconds, asked or 0.0))


class PlainErrors:
    """A context manager that logs an error with a clear text in one line, without a long traceback.

    Airflow logs the traceback of a task's error, which is here cut to this class. Not a generator
    with ``contextmanager``, which would restore the traceback.
    """

    def __init__(self, logger: Any, context: Any) -> None:
        self._log, self._context = logger, context

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        plain = translated(error) if isinstance(error, Exception) else None
        if not isinstance(plain, (DiscogsError, OSError, AirflowNotFoundException)):
            return
        self._log.debug("The error in full", exc_info=True)
        self._log.error("%s failed: %s", task_name(self._context["ti"]), plain)
        raise plain.with_traceback(None) from None


def run_is_alive(context: Any, record: MonthRecord, connect: Connect, schema: str) -> bool:
    """Whether the run of a tracking row may still be running.

    About its own runs this Airflow is certain: a run that it does not have has ended. For other
    runs the target database decides, see :mod:`discogs.load.life`.
    """
    from discogs.load.life import is_alive
    from discogs.load.locks import COMMAND

    run = record.run
    if run is not None and run.dag_id != COMMAND and run.airflow in (None, installation.known()):
        return is_at_work(context, run)
    return is_alive(connect, schema, record)


def is_at_work(context: Any, run: RunIdentity) -> bool:
    """Whether this Airflow has the run, queued or running."""
    states = ["queued", "running"]
    count: int = context["ti"].get_dr_count(run.dag_id, run_ids=[run.run_id], states=states)
    return count > 0


def skip_run(task: BaseOperator, context: Any, reason: str) -> NoReturn:
    """Skip the task that is being executed, and all downstream tasks: there is nothing to do.

    With the exception alone, each downstream task would follow its trigger rule, and the merges
    would start processes only to find that nothing is staged. Airflow has no public call for a
    skipped task that skips its downstream tasks at once.
    """
    from airflow.sdk.execution_time import comms, task_runner

    log.info("%s", reason)
    context["ti"].xcom_push(key="return_value", value=reason)
    context["ti"].xcom_push(key=notes.SUMMARY, value=reason)
    following: list[str | tuple[str, int]] = [
        each.task_id for each in task.get_flat_relatives(upstream=False)
    ]
    supervisor = getattr(task_runner, "SUPERVISOR_COMMS", None)  # set while a task is executed
    if following and supervisor is not None:
        supervisor.send(comms.SkipDownstreamTasks(tasks=following))
    raise AirflowSkipException(reason)


def _pause(deferred: TaskDeferred) -> dt.timedelta:
    """How long a task stays in the triggerer, if its trigger has a fixed end."""
    moment = getattr(deferred.trigger, "moment", None)
    if not isinstance(moment, dt.datetime):
        return dt.timedelta(0)
    return max(dt.timedelta(0), moment - dt.datetime.now(dt.timezone.utc))


def disk_of(storage: DumpStorage) -> dict[str, Any] | None:
    """Use of the storage's disk, for the metrics; None when it is not local."""
    use = storage.disk_use()
    return dataclasses.asdict(use) if use is not None else None
