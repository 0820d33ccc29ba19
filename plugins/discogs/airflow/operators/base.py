"""What the operators have in common: the plan, the connections, and how they are stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from discogs.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.airflow.hooks.dumps import DiscogsDumpsHook
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.dumps.storage import DumpStorage
    from discogs.load.options import PlannedFile, RunOptions
    from discogs.load.run import MonthRun
    from discogs.load.source import ServerSource
    from discogs.schema.entities import Entity
    from discogs.tracking.model import RunIdentity


class TaskStopped(BaseException):
    """The task was told to stop. Not an ``Exception``, so that nothing takes it for a fault of
    the record or block that it interrupts."""


class DiscogsOperator(BaseOperator):
    """A step of a month's run.

    :param plan: the run's options, as :class:`~discogs.load.options.RunOptions` writes them.
    :param postgres_conn_id: connection of the target database.
    :param dumps_conn_id: HTTP connection of the server of dumps.
    """

    template_fields: Sequence[str] = ("plan", "postgres_conn_id", "dumps_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"plan": "json", "files": "json"}

    _hook: DiscogsPostgresHook | None = None
    _working = False

    def __init__(
        self,
        *,
        plan: Any = None,
        postgres_conn_id: str = "discogs_postgres",
        dumps_conn_id: str = "discogs_dumps",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.postgres_conn_id = postgres_conn_id
        self.dumps_conn_id = dumps_conn_id

    def execute(self, context: Context) -> Any:
        self._working = True
        try:
            result = self.work(context)
        finally:
            self._working = False
        if result is not None:
            self.measure(result)
        return result

    def work(self, context: Context) -> Any:
        """What the step does."""
        raise NotImplementedError

    def measure(self, result: Any) -> None:
        """Tell Airflow's metrics of what the step did, where it does something to measure."""

    def on_kill(self) -> None:
        """Cancel what the database is doing for this task, and leave its code.

        Airflow calls this in the main thread when the task gets SIGTERM, and expects the task to
        end by itself; after a timeout it is called when the code has been left already.
        """
        if self._hook is not None:
            self._hook.cancel()
        if self._working:
            raise TaskStopped(f"{self.task_id} was told to stop.")

    # What a step may need, opened when it does.

    @property
    def settings(self) -> Settings:
        return Settings.from_environment()

    @property
    def postgres(self) -> DiscogsPostgresHook:
        if self._hook is None:
            from discogs.airflow.hooks.postgres import DiscogsPostgresHook

            self._hook = DiscogsPostgresHook(self.postgres_conn_id, settings=self.settings)
        return self._hook

    @property
    def dumps(self) -> DiscogsDumpsHook:
        from discogs.airflow.hooks.dumps import DiscogsDumpsHook

        return DiscogsDumpsHook(self.dumps_conn_id)

    @property
    def storage(self) -> DumpStorage:
        from discogs.dumps.storage import DumpStorage

        settings = self.settings
        if "://" not in settings.storage:
            return DumpStorage(settings.storage, margin=settings.disk_margin)
        from airflow.sdk import ObjectStoragePath

        return DumpStorage(ObjectStoragePath(settings.storage), margin=settings.disk_margin)

    @property
    def options(self) -> RunOptions:
        from discogs.load.options import RunOptions

        return RunOptions.from_dict(self.plan)

    @contextlib.contextmanager
    def source(self) -> Iterator[ServerSource]:
        """The server of dumps with the storage that its files are downloaded into."""
        from discogs.load.source import ServerSource

        with self.dumps.source(self.settings) as server:
            yield ServerSource(server, self.storage)

    def month_run(self, context: Context) -> MonthRun:
        """The steps of this run."""
        from discogs.load.run import MonthRun

        started = context["dag_run"].start_date
        return MonthRun(
            connect=self.postgres.connect,
            settings=self.settings,
            options=self.options,
            identity=run_identity(context),
            since=started if started is not None else dt.datetime.now(dt.timezone.utc),
            is_alive=lambda run: self._is_alive(context, run),
        )

    def _is_alive(self, context: Context, run: RunIdentity) -> bool:
        """Whether a run that a row names may still be at work.

        Runs that Airflow no longer has are not; a command holds a lock as long as it lives.
        """
        from discogs.load.locks import COMMAND, command_is_alive

        if run.dag_id == COMMAND:
            return command_is_alive(self.postgres.connect, self.settings.schema, run)
        states = ["queued", "running"]
        ti: Any = context["ti"]
        count: int = ti.get_dr_count(run.dag_id, run_ids=[run.run_id], states=states)
        return count > 0


def run_identity(context: Any) -> RunIdentity:
    """The run that a task belongs to."""
    from discogs.tracking.model import RunIdentity

    dag_run = context["dag_run"]
    return RunIdentity(dag_run.dag_id, dag_run.run_id)


def planned_file(files: Sequence[dict[str, Any]] | None, entity: Entity) -> PlannedFile:
    """The file of an entity among those that a run loads.

    :raises AirflowSkipException: when there is none: the entity is not asked for, or was loaded
        from the same bytes before, or nothing is loaded at all.
    """
    for planned in planned_files(files):
        if planned.entity is entity:
            return planned
    raise AirflowSkipException(f"This run has nothing to load of the {entity}.")


def planned_files(files: Sequence[dict[str, Any]] | None) -> list[PlannedFile]:
    """The files that a run loads, from the XCom of :class:`.FetchChecksumsOperator`."""
    from discogs.load.options import PlannedFile

    return [PlannedFile.from_dict(item) for item in files or ()]


def disk_of(storage: DumpStorage) -> dict[str, Any] | None:
    """Use of the storage's disk, as the metrics take it; None when it is not local."""
    use = storage.disk_use()
    return dataclasses.asdict(use) if use is not None else None
