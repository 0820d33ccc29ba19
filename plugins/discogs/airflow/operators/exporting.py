"""The tasks that export a month as Parquet into `DISCOGS_EXPORT`."""

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
            expected = "the same value on every worker as in the dag-processor"
            raise InvalidSetting(variable("export"), address, expected)
        root = self.object_path("export") if "://" in address else None
        return RunExport(self.month_run(context), ExportFolder(address, root))


class BeginExportOperator(_ExportOperator):
    """Prepares `DISCOGS_EXPORT` for the month, and returns the parts to write: one for each shard
    of each file.

    Skipped, with the rest of the export, when the month was already exported from the same files,
    or when its export has entities that this run does not load.
    """

    def work(self, context: Context) -> list[dict[str, Any]]:
        planned = self.files(context, required=False)
        if not planned:
            raise AirflowSkipException("This run has loaded nothing.")
        parts, message = self.export(context).begin(planned)
        if not parts:
            raise AirflowSkipException(message)
        self.log.info("%s", message)
        return [
            {"entity": str(part.entity), "shard": part.shard, "shards": part.shards}
            for part in parts
        ]


class WriteExportOperator(_ExportOperator):
    """Reads the file, parses the records of one shard, and writes their rows as Parquet to the
    folder `_writing`, replacing what an earlier attempt wrote.

    :param entity: ``labels``, ``artists``, ``masters`` or ``releases``.
    :param shard: which records: those whose ``id mod shards`` is this number.
    :param shards: number of shards.
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
    """Checks the limits of the written month, moves its files to their final folders, and writes
    the manifest, without which the export is not complete.

    Fails where a load would fail: with too many rejected records, or far fewer records than in the
    last exported month (*Allow shrink* accepts it).
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
