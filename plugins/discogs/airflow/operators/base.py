"""What the operators have in common: what their run is about, the connections, how they stop."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, ObjectStoragePath
from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.runs import Run, run_options
from discogs.dumps.storage import DumpStorage
from discogs.load.errors import MonthNotReady
from discogs.load.options import PlannedFile
from discogs.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.airflow.hooks.postgres import DiscogsPostgresHook
    from discogs.load.options import RunOptions
    from discogs.load.run import MonthRun
    from discogs.load.source import ServerSource
    from discogs.schema.entities import Entity
    from discogs.tracking.model import RunIdentity


#: The task that returns the files to fetch. Others read its XCom by this name, for an XComArg
#: would draw an edge from it to each of them.
FILES_FROM = "fetch_checksums"


class TaskStopped(BaseException):
    """The task was stopped by SIGTERM. Not an ``Exception``, so that nothing takes it for a fault
    of the record or block that it interrupts."""


def documentation(kind: type) -> str:
    """The text of a task's page: its operator's docstring up to the parameters, as Markdown."""
    text, _, _ = inspect.cleandoc(kind.__doc__ or "").partition("\n:param")
    return text.strip().replace("``", "`")


class DiscogsOperator(BaseOperator):
    """A step of a month's run. The docstring of each is the text of its tasks' pages.

    :param postgres_conn_id: connection of the target database.
    :param dumps_conn_id: HTTP connection of the server of dumps.
    """

    template_fields: Sequence[str] = ("postgres_conn_id", "dumps_conn_id")

    options: RunOptions
    """What the run is asked to do; there while the task is executed."""

    def __init__(
        self,
        *,
        postgres_conn_id: str = "discogs_postgres",
        dumps_conn_id: str = "discogs_dumps",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"doc_md": documentation(type(self)), **kwargs})
        self.postgres_conn_id = postgres_conn_id
        self.dumps_conn_id = dumps_conn_id
        self._working = False

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:  # a mapped task's constructor has not run yet
        return super().partial(**{"doc_md": documentation(cls), **kwargs})

    def execute(self, context: Context) -> Any:
        self.options = run_options(context, self.settings)
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
        hook: DiscogsPostgresHook | None = self.__dict__.get("postgres")
        if hook is not None:
            hook.cancel()
        if self._working:
            raise TaskStopped(f"{self.task_id} was stopped by SIGTERM.")

    # What a step may need, opened when it does.

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environment()

    @cached_property
    def postgres(self) -> DiscogsPostgresHook:
        from discogs.airflow.hooks.postgres import DiscogsPostgresHook

        return DiscogsPostgresHook(self.postgres_conn_id, settings=self.settings)

    @property
    def dumps(self) -> DiscogsDumpsHook:
        return DiscogsDumpsHook(self.dumps_conn_id)

    @property
    def storage(self) -> DumpStorage:
        settings = self.settings
        if "://" not in settings.storage:
            return DumpStorage(settings.storage, margin=settings.disk_margin)
        return DumpStorage(ObjectStoragePath(settings.storage), margin=settings.disk_margin)

    @contextlib.contextmanager
    def source(self) -> Iterator[ServerSource]:
        """The server of dumps with the storage that its files are downloaded into."""
        from discogs.load.source import ServerSource

        with self.dumps.source(self.settings) as server:
            yield ServerSource(server, self.storage)

    def month_run(self, context: Context) -> MonthRun:
        """The steps of this run."""
        from discogs.load.run import MonthRun

        run = Run.of(context["dag_run"])
        return MonthRun(
            connect=self.postgres.connect,
            settings=self.settings,
            options=self.options,
            identity=run.identity,
            since=run.started if run.started is not None else dt.datetime.now(dt.timezone.utc),
            is_alive=lambda other: self._is_alive(context, other),
        )

    def files(self, context: Context, *, required: bool = True) -> list[PlannedFile]:
        """The files that this run fetches.

        :param required: False for a task that is started also when the rest of the run is skipped.
        :raises MonthNotReady: when their list is required and gone.
        """
        found: Any = context["ti"].xcom_pull(task_ids=FILES_FROM)
        if found is None and required:
            raise MonthNotReady(
                f"The files that {FILES_FROM} has listed are no longer known: clear that task, and"
                " what follows it."
            )
        return [PlannedFile.from_dict(item) for item in found or ()]

    def file_of(self, context: Context, entity: Entity, *, required: bool = True) -> PlannedFile:
        """The file of an entity.

        :param required: as in :meth:`files`.
        :raises AirflowSkipException: when the entity is not asked for, or was loaded from the same
            bytes before.
        """
        for planned in self.files(context, required=required):
            if planned.entity is entity:
                return planned
        raise AirflowSkipException(f"This run has nothing to load of the {entity}.")

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


def disk_of(storage: DumpStorage) -> dict[str, Any] | None:
    """Use of the storage's disk, as the metrics take it; None when it is not local."""
    use = storage.disk_use()
    return dataclasses.asdict(use) if use is not None else None
