"""The month as Parquet, where `DISCOGS_EXPORT` says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from discogs.airflow.operators.base import DiscogsOperator
from discogs.errors import InvalidSetting
from discogs.schema.entities import Entity
from discogs.settings import variable

if TYPE_CHECKING:
    from airflow.sdk import Context

    from discogs.load.run_export import RunExport


class _ExportOperator(DiscogsOperator):
    def export(self, context: Context) -> RunExport:
        """The steps of this run's export."""
        from discogs.load.export_folder import ExportFolder
        from discogs.load.run_export import RunExport

        address = self.settings.export
        if not address:
            expected = "what the dag-processor has, on every worker"
            raise InvalidSetting(variable("export"), address, expected)
        root = self.object_path("export") if "://" in address else None
        return RunExport(self.month_run(context), ExportFolder(address, root))


class BeginExportOperator(_ExportOperator):
    """Makes `DISCOGS_EXPORT` ready for the month, and returns the parts to write: the files of the
    run, each in so many shards as it was staged in.

    Skipped, with what follows it up to the checks, when the month is there already from the same
    files, or has entities that this run does not load.
    """

    def work(self, context: Context) -> list[dict[str, Any]]:
        planned = self.files(context, required=False)
        if not planned:
            raise AirflowSkipException("This run has loaded nothing.")
        parts, said = self.export(context).begin(planned)
        if not parts:
            raise AirflowSkipException(said)
        self.log.info("%s", said)
        return [
            {"entity": str(part.entity), "shard": part.shard, "shards": part.shards}
            for part in parts
        ]


class WriteExportOperator(_ExportOperator):
    """Reads the file, parses the records of its shard, and writes their rows as Parquet, aside and
    in place of what an earlier try has written.

    :param entity: ``labels``, ``artists``, ``masters`` or ``releases``.
    :param shard: which of the records: those with ``id mod shards`` equal to it.
    :param shards: into how many the records are divided.
    """

    template_fields: Sequence[str] = (*_ExportOperator.template_fields, "entity", "shard", "shards")

    def __init__(self, *, entity: str, shard: int = 0, shards: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entity = entity
        self.shard = shard
        self.shards = shards
        self.doing = f"exporting the {entity}"  # until its file is known

    def work(self, context: Context) -> dict[str, Any] | None:
        from discogs.load.export_part import Part

        planned = self.file_of(context, Entity(self.entity))
        part = Part(planned.entity, self.shard, self.shards)
        self.doing = f"exporting {planned.name}"
        export = self.export(context)
        self.log.info(
            "Exporting %s (%s), from %s to %s.", planned.name, part, self.storage, export.target
        )
        report = export.write(self.storage, planned, part, self.log_progress())
        if report is None:
            self.log.info("%s is completed: nothing is written.", export.month)
            return None
        self.log.info("%s: %s.", part, report)
        return asdict(report.counts)


class PublishExportOperator(_ExportOperator):
    """Checks the limits of what is written, moves the files to their places, and writes the
    manifest, without which the month is not whole.

    Refuses what a load would refuse: too many rejected records, or far fewer than in the last month
    that was exported (*Allow shrink* accepts it).
    """

    def work(self, context: Context) -> dict[str, Any] | None:
        export = self.export(context)
        report = export.publish(self.files(context))
        if report is None:
            self.log.info("%s is in %s already.", export.month, export.target)
            return None
        for entity, counts in report.entities.items():
            self.log.info("%s: %s.", entity, counts)
        self.log.info("%s", report)
        return {"folder": report.folder, "rows": report.rows, "bytes": report.bytes}
