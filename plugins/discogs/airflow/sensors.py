"""The sensor that waits for a month's dump, without occupying a worker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferralError

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.operators.base import (
    PlainErrors,
    documentation,
    is_at_work,
    run_is_alive,
    skip_run,
)
from discogs.airflow.operators.links import DumpListingLink
from discogs.airflow.runs import Run, run_options
from discogs.airflow.targets import DUMPS, POSTGRES, Target
from discogs.airflow.triggers import DumpAvailableTrigger, wait_after
from discogs.airflow.waits import MonthWait, level_of, message_of, now, reason_of
from discogs.dumps.errors import DumpNotPublished, SourceError
from discogs.errors import DiscogsError
from discogs.schema.entities import Month
from discogs.tracking.model import LEASE, MonthRecord, Status, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from discogs.load.options import RunOptions
    from discogs.settings import Settings

#: How long a run waits for a dump: less than a day, as the next day's run checks again.
WAIT = dt.timedelta(hours=20)


class DumpAvailableSensor(BaseSensorOperator):
    """Waits until the server lists the month's CHECKSUM.txt and its files, in any order.

    Checks once, and is deferred to the triggerer only when the dump is not there yet. The log and
    the column `waiting` of the month's row say why and since when it waits, and have the time of
    the next check and of the end of the wait. To check now, clear this task or trigger another run
    of the month. If that run does not find the dump either, it is skipped, since one waiting run is
    enough.

    When the time limit is reached, the task and the rest of the run are skipped; the next day's run
    checks again. The same happens when another run has loaded the month in the meantime. The sensor
    does not wait for a month that is over. Anything else that ends the wait fails the task: the
    server refuses requests or is down for hours, or the trigger failed.

    :param dumps_conn_id: HTTP connection of the dump server.
    :param postgres_conn_id: connection of the target database, for the month's row.
    :param overrides: settings by name, in place of those of the environment.
    :param poll_interval: time between two checks; default: the setting ``DISCOGS_POLL_SECONDS``.
    :param wait: time limit of the whole wait.
    """

    operator_extra_links = (DumpListingLink(),)
    template_fields: Sequence[str] = ("dumps_conn_id", "postgres_conn_id", "overrides")

    def __init__(
        self,
        *,
        dumps_conn_id: str = DUMPS,
        postgres_conn_id: str = POSTGRES,
        overrides: dict[str, Any] | None = None,
        poll_interval: dt.timedelta | None = None,
        wait: dt.timedelta = WAIT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"doc_md": documentation(type(self)), **kwargs})
        self.dumps_conn_id = dumps_conn_id
        self.postgres_conn_id = postgres_conn_id
        self.overrides = overrides
        self.poll_interval = poll_interval
        self.wait = wait

    def execute(self, context: Context) -> dict[str, Any]:
        with PlainErrors(self.log, context):
            return self._look(context)

    def _look(self, context: Context) -> dict[str, Any]:
        from discogs.dumps.transport import ONE_LOOK

        settings = Target.of(self).settings
        plan = run_options(context, settings)
        try:
            hook = DiscogsDumpsHook(self.dumps_conn_id)
            with hook.source(settings, limits=ONE_LOOK) as source:
                found: dict[str, Any] = source.find(plan.month, plan.entities).as_dict()
        except DiscogsError as error:
            if not error.transient:
                raise
            if isinstance(error, DumpNotPublished):
                self._skip_if_over(context, plan.month, error)
            self._wait(context, plan, settings, error)
        self._log_found(found)
        return found

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Called when the wait is over, however it ended.

        Not ``soft_fail``: it would also skip the task when the trigger failed.
        """
        with PlainErrors(self.log, context):
            return self._resume(next_method, next_kwargs, context)

    def _resume(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        wait = self._month_wait(context)
        row = wait.row()
        wait.end()
        try:
            found = super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as over:
            self._give_up(context, row.waiting if row is not None else None, over)
        except TaskDeferralError as failed:
            raise SourceError(
                f"The wait for the dump failed in the triggerer ({failed}): see its log. The"
                f" triggerer needs the package and the connection {self.dumps_conn_id}."
            ) from failed
        since = (next_kwargs or {}).get("since")
        if row is not None and since is not None:
            self._skip_if_done(context, row, dt.datetime.fromisoformat(since))
        return found

    def resume(
        self, context: Context, event: Mapping[str, Any], since: str | None = None
    ) -> dict[str, Any]:
        """Called when the trigger has fired.

        :param since: when the wait began.
        """
        if event["status"] != "found":
            raise SourceError(event["message"])
        found: dict[str, Any] = event["dump"]
        self._log_found(found)
        return found

    def _wait(
        self, context: Context, plan: RunOptions, settings: Settings, error: DiscogsError
    ) -> NoReturn:
        """Defer the task to the triggerer, unless another run already waits for the month."""
        given = self.poll_interval
        poll = given.total_seconds() if given is not None else settings.poll_seconds
        first, since, wait = wait_after(error, poll), now(), self._month_wait(context)
        waiting = Waiting(
            reason=reason_of(error),
            message=message_of(error),
            since=since,
            next_look_at=since + dt.timedelta(seconds=first),
            gives_up_at=since + self.wait,
            run=wait.run,
        )
        row = wait.row()
        if row is not None and self._waits_already(context, row, wait):
            skip_run(self, context, f"{error} Another run is waiting for it. {row.waiting}")
        self.log.log(level_of(waiting), "%s", waiting)
        wait.write(waiting)
        self.defer(
            trigger=DumpAvailableTrigger(
                dumps_conn_id=self.dumps_conn_id,
                year_month=str(plan.month),
                entities=[str(entity) for entity in plan.entities],
                poll_seconds=poll,
                first_wait=first,
                waiting=waiting.as_dict(),
                postgres_conn_id=self.postgres_conn_id,
                overrides=self.overrides,
            ),
            method_name="resume",
            kwargs={"since": since.isoformat()},
            timeout=self.wait,
        )

    def _waits_already(self, context: Context, row: MonthRecord, wait: MonthWait) -> bool:
        """Whether another run waits for the month, and is alive."""
        other = row.waiting
        if other is None or other.run.is_same(wait.run):
            return False
        if other.run.airflow in (None, wait.run.airflow):
            return is_at_work(context, other.run)
        return min(other.next_look_at + LEASE, other.gives_up_at) > now()

    def _skip_if_done(self, context: Context, row: MonthRecord, since: dt.datetime) -> None:
        """Skip the run when another run has claimed or loaded the month during the wait."""
        settings, wait = Target.of(self).settings, self._month_wait(context)
        if row.run is None or row.is_of(wait.run):
            return
        if row.status.at_work and run_is_alive(context, row, wait.hook.connect, settings.schema):
            skip_run(
                self,
                context,
                f"{row.month} is {row.status} in another run, {row.run}, so this run is skipped.",
            )
        plan, at = run_options(context, settings), row.processing_completed_at
        loaded = row.status is Status.COMPLETED and at is not None and at > since
        if loaded and not plan.force and not row.not_loaded(plan.entities):
            skip_run(self, context, f"{row.month} was loaded by {row.run} in the meantime.")

    def _give_up(self, context: Context, waiting: Waiting | None, over: Exception) -> NoReturn:
        """At the time limit: skip the run if only the dump was missing, else fail."""
        hours = f"{self.wait.total_seconds() / 3600:g} hours"
        if waiting is not None and waiting.reason.is_fault:
            raise SourceError(
                f"The dump server gave no usable answer within {hours}: {waiting.message}"
            ) from over
        if waiting is not None and now() - waiting.next_look_at > LEASE:
            raise SourceError(
                f"The server has not been asked since {waiting.next_look_at:%F %H:%M} UTC, when the"
                " next check was due: is a triggerer running?"
            ) from over
        reason = f"Nothing was published in {hours}: the next scheduled run checks again."
        skip_run(self, context, reason)

    def _skip_if_over(self, context: Context, month: Month, error: DiscogsError) -> None:
        """Skip the run when the month is over.

        :param error: says that the dump is not published, or not complete.
        """
        if month >= Month.of(now().date()):
            return
        skip_run(
            self,
            context,
            f"{error} {month} is over, so its dump is not waited for: the schedule looks for it"
            f" once a day until the end of {month.plus(1)}.",
        )

    def _month_wait(self, context: Context) -> MonthWait:
        run = Run.of(context["dag_run"])
        return MonthWait(Target.of(self).hook(), run.month, run.identity)

    def _log_found(self, found: Mapping[str, Any]) -> None:
        self.log.info("The dump of %s is published, dated %s.", found["month"], found["dump_date"])
