"""The dump's files: which, fetched, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from discogs.operators.base import DiscogsOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.tracking.model import RunIdentity


class FetchChecksumsOperator(DiscogsOperator):
    """Takes the month for this run, reads its CHECKSUM, and returns the files to fetch."""

    ui_color = "#d9e8f5"

    def work(self, context: Context) -> list[dict[str, Any]]:
        from discogs.database.connection import advisory_lock

        plan, life = self.load_plan, self.life(context)
        # The command line holds this lock as long as it works on the month.
        key = f"month:{self.settings.schema}:{plan.month}"
        with self.postgres.connect() as conn, advisory_lock(conn, key, wait=0):
            life.claim(lambda run: self._is_alive(context, run))
        with self.dumps.source(self.settings) as source:
            dump = source.find(plan.month, plan.entities)
            files = life.wanted(plan, dump, source.checksums(dump))
        self.storage.require_space_for(
            [(wanted.file.name, wanted.file.size) for wanted in files], self.settings.disk_margin
        )
        for wanted in files:
            self.log.info("%s: SHA-256 %s", wanted.file.url, wanted.sha256)
        return [wanted.as_dict() for wanted in files]

    def _is_alive(self, context: Context, run: RunIdentity) -> bool:
        """Whether Airflow has a run that may still be at work."""
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            state = context["ti"].get_dagrun_state(run.dag_id, run.run_id)
        except AirflowRuntimeError as error:
            self.log.info("Airflow does not know %s: %s", run, error)
            return False
        return str(state) in {"queued", "running"}


class _FileOperator(DiscogsOperator):
    """A step of one file.

    :param file: one of those that :class:`FetchChecksumsOperator` returns.
    """

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
        from discogs.months.plan import Wanted

        wanted = Wanted.from_dict(self.file)
        context["discogs_entity"] = str(wanted.entity)  # type: ignore[typeddict-unknown-key]
        with self.dumps.source(self.settings) as source:
            report = self.life(context).fetch(source, self.storage, wanted)
        if report is None:
            self.log.info("The month is completed: nothing is fetched.")
            return None
        return report.as_dict()


class ChecksumOperator(_FileOperator):
    """Compares one stored file with its published SHA-256; one that differs is fetched again."""

    ui_color = "#d9e8f5"

    def work(self, context: Context) -> dict[str, Any] | None:
        from discogs.months.plan import Wanted

        wanted = Wanted.from_dict(self.file)
        context["discogs_entity"] = str(wanted.entity)  # type: ignore[typeddict-unknown-key]
        with self.dumps.source(self.settings) as source:
            checksum = self.life(context).verify(
                source, self.storage, wanted, attempts=self.settings.verify_attempts
            )
        return checksum.as_dict() if checksum is not None else None


class ReadyOperator(DiscogsOperator):
    """All files are there and right. Returns the numbers of the shards to stage.

    :param files: those that :class:`FetchChecksumsOperator` returns.
    """

    template_fields: Sequence[str] = (*DiscogsOperator.template_fields, "files")
    ui_color = "#d9e8f5"

    def __init__(self, *, files: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files = files

    def work(self, context: Context) -> list[int]:
        from discogs.months.plan import Wanted

        self.life(context).ready([Wanted.from_dict(item) for item in self.files])
        return list(range(self.load_plan.shards))
