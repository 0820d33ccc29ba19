"""The Parquet export of a run's month, in steps that Airflow's tasks call one after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discogs.dumps.storage import DumpStorage
from discogs.load.errors import ExportIncomplete
from discogs.load.export import parts_of, publish
from discogs.load.export_folder import ExportFolder, writing_path
from discogs.load.export_part import SIZES, ExportSizes, Part, PartReport, write_part
from discogs.load.manifest import ExportReport, is_made_from, read_manifest
from discogs.load.options import PlannedFile
from discogs.progress import OnProgress
from discogs.schema.entities import Month
from discogs.schema.filters import Filter
from discogs.tracking import progress

if TYPE_CHECKING:
    from discogs.load.run import MonthRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunExport:
    """The steps of an export; each can be called again, and in another process.

    :param target: the folder of the export, which all processes must share.
    """

    run: MonthRun
    target: ExportFolder
    sizes: ExportSizes = SIZES

    @property
    def month(self) -> Month:
        return self.run.month

    def begin(self, planned: Sequence[PlannedFile]) -> tuple[list[Part], str]:
        """Prepare the folder of the month's unpublished files.

        :returns: the parts to write, and a sentence for the log. No parts when there is nothing to
            do: the month is completed, or already exported from the same files.
        """
        if not self.run.begin_processing():
            return [], f"{self.month} is completed: nothing is exported."
        with self.target.explained(), self.target.locked(self.month):
            manifest = read_manifest(self.target, self.month)
            if manifest is not None:
                entities = {str(each.entity) for each in planned}
                others = [name for name in manifest["entities"] if name not in entities]
                if others:
                    return [], (
                        f"The export of {self.month} in {self.target} is kept, since it also has"
                        f" {', '.join(others)}, which this run does not load. To export the month"
                        " again, run it with all entities and with force."
                    )
                if not self.run.options.force and self._is_exported(planned, manifest):
                    return [], (
                        f"{self.month} is already exported to {self.target}, from the same files."
                    )
            self.target.empty(writing_path(self.month))
        parts = [part for _, part in parts_of(planned, self.run.options.shards)]
        return parts, f"{self.month} is exported to {self.target} in {len(parts)} parts."

    def write(
        self,
        storage: DumpStorage,
        planned: PlannedFile,
        part: Part,
        on_progress: OnProgress | None = None,
    ) -> PartReport | None:
        """Write one part of the month, unpublished.

        :returns: None when the month is already completed.
        """
        if not self.run.begin_processing():
            return None
        with (
            self.target.explained(),
            self.target.locked(self.month, part.name),
            progress.recorded(self.run.connect, self.month, part.entity, on_progress) as report,
        ):
            return write_part(
                self.target,
                storage,
                planned,
                part,
                self.run.load_settings,
                sha256=self._sha256(planned),
                on_progress=report,
                sizes=self.sizes,
            )

    def publish(self, planned: Sequence[PlannedFile]) -> ExportReport | None:
        """Publish the parts, and write the manifest.

        :returns: None when the month is completed, or already published.
        """
        if not self.run.begin_processing():
            return None
        with self.target.explained(), self.target.locked(self.month):
            try:
                return publish(
                    self.target,
                    self.month,
                    [part for _, part in parts_of(planned, self.run.options.shards)],
                    self.run.load_settings,
                    allow_shrink=self.run.options.allow_shrink,
                    sizes=self.sizes.parquet,
                )
            except ExportIncomplete:
                manifest = read_manifest(self.target, self.month)
                if manifest is None or not self._is_exported(planned, manifest):
                    raise
                # The month was published, and afterwards one of its parts was written again.
                self.target.delete_files(writing_path(self.month))
                return None

    def _is_exported(self, planned: Sequence[PlannedFile], manifest: dict[str, object]) -> bool:
        digests = {each.entity: self._sha256(each) for each in planned}
        return is_made_from(manifest, digests, str(Filter.parse(self.run.load_settings.filter)))

    def _sha256(self, planned: PlannedFile) -> str | None:
        """The SHA-256 with which the file was verified."""
        return self.run.files.sha256(planned) or planned.sha256
