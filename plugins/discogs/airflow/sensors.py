"""Waiting for a month's dump without holding a worker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferralError

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.operators.base import documentation
from discogs.airflow.operators.links import DumpListingLink
from discogs.airflow.runs import run_options
from discogs.airflow.triggers import DumpAvailableTrigger, wait_after
from discogs.dumps.errors import DumpNotPublished, SourceError
from discogs.errors import DiscogsError
from discogs.schema.entities import Month
from discogs.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


#: How long a dump is waited for: below a day, so that the next day's run is not held up.
WAIT = dt.timedelta(hours=20)


class DumpAvailableSensor(BaseSensorOperator):
    """Waits until a month's CHECKSUM and its files are listed, in whatever order they come.

    Looks once, and goes to the triggerer only when there is nothing yet. When the time is over
    the task is skipped, not failed: the next day's run looks again. A month that is over is not
    waited for. Whatever else ends the wait fails the task: a refusal, a server that is down for
    hours, a trigger that broke.

    :param dumps_conn_id: HTTP connection of the server of dumps.
    :param poll_interval: between two looks; by default the setting ``DISCOGS_POLL_SECONDS``.
    :param wait: how long in all.
    """

    operator_extra_links = (DumpListingLink(),)
    template_fields: Sequence[str] = ("dumps_conn_id",)

    def __init__(
        self,
        *,
        dumps_conn_id: str = "discogs_dumps",
        poll_interval: dt.timedelta | None = None,
        wait: dt.timedelta = WAIT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"doc_md": documentation(type(self)), **kwargs})
        self.dumps_conn_id = dumps_conn_id
        self.poll_interval = poll_interval
        self.wait = wait

    def execute(self, context: Context) -> dict[str, Any]:
        from discogs.dumps.transport import ONE_LOOK

        settings = Settings.from_environment()
        plan = run_options(context, settings)
        try:
            hook = DiscogsDumpsHook(self.dumps_conn_id)
            with hook.source(settings, limits=ONE_LOOK) as source:
                found: dict[str, Any] = source.find(plan.month, plan.entities).as_dict()
        except DiscogsError as error:
            if not error.transient:
                raise
            if isinstance(error, DumpNotPublished):
                self._refuse_old(plan.month, error)
            given = self.poll_interval
            poll = given.total_seconds() if given is not None else settings.poll_seconds
            self.log.info("%s Waiting in the triggerer.", error)
            self.defer(
                trigger=DumpAvailableTrigger(
                    dumps_conn_id=self.dumps_conn_id,
                    year_month=str(plan.month),
                    entities=[str(entity) for entity in plan.entities],
                    poll_seconds=poll,
                    first_wait=wait_after(error, poll),
                ),
                method_name="resume",
                timeout=self.wait,
            )
        self.log.info("The dump of %s is there, of %s.", plan.month, found["dump_date"])
        return found

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Called when the wait is over, however it ended.

        Airflow's ``soft_fail`` would skip the task also when the trigger broke.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as over:
            hours = self.wait.total_seconds() / 3600
            reason = (
                f"Nothing was published in {hours:g} hours: the next scheduled run looks again."
            )
            self.log.info("%s", reason)
            raise AirflowSkipException(reason) from over
        except TaskDeferralError as broken:
            raise SourceError(
                f"The wait for the dump broke in the triggerer ({broken}): see its log. The"
                f" triggerer needs the package and the connection {self.dumps_conn_id}."
            ) from broken

    def resume(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Called when the trigger has fired."""
        if event["status"] != "found":
            raise SourceError(event["message"])
        found: dict[str, Any] = event["dump"]
        self.log.info("The dump of %s is there, of %s.", found["month"], found["dump_date"])
        return found

    def _refuse_old(self, month: Month, error: DiscogsError) -> None:
        """Skip the task when the month is over.

        :param error: that the dump is not published, or not whole.
        """
        if month >= Month.of(dt.datetime.now(dt.timezone.utc).date()):
            return
        reason = (
            f"{error} {month} is over, so its dump is not waited for: the schedule looks for it"
            f" once a day until the end of {month.plus(1)}."
        )
        self.log.info("%s", reason)  # Airflow's own line says only that it skips
        raise AirflowSkipException(reason)
