"""The export of a run's month as Parquet, in steps that Airflow's tasks call one by one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discogs.dumps.storage import DumpStorage
from discogs.load.errors import ExportIncomplete
from discogs.load.export import parts_of, publish
from discogs.load.export_folder import ExportFolder, writing
from discogs.load.export_part import SIZES, ExportSizes, Part, PartReport, write_part
from discogs.load.manifest import ExportReport, is_of, read_manifest
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
    """The steps of an export; each may be called again, and in another process.

    :param target: where it is written, which all of the processes see.
    """

    run: MonthRun
    target: ExportFolder
    sizes: ExportSizes = SIZES

    @property
    def month(self) -> Month:
        return self.run.month

    def begin(self, planned: Sequence[PlannedFile]) -> tuple[list[Part], str]:
        """Make the place ready that a month is written in.

        :returns: what is to be written, and a sentence about it; no part when there is nothing to
            do: the month is completed, or exported from the same files.
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
                        f"{self.month} stays in {self.target} as it is: that has"
                        f" {', '.join(others)} too, which this run does not load. Run the month"
                        " with all entities, and force, to export it again."
                    )
                if not self.run.options.force and self._is_exported(planned, manifest):
                    return [], f"{self.month} is in {self.target} already, from the same files."
            self.target.empty(writing(self.month))
        parts = [part for _, part in parts_of(planned, self.run.options.shards)]
        return parts, f"{self.month} is written to {self.target} in {len(parts)} parts."

    def write(
        self,
        storage: DumpStorage,
        planned: PlannedFile,
        part: Part,
        on_progress: OnProgress | None = None,
    ) -> PartReport | None:
        """Write a shard of a file's records aside.

        :returns: None when the month is completed already.
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
        """Put the parts into their place, with the manifest.

        :returns: None when the month is completed, or that was done already.
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
                # A part that was written again alone, after all of them had been published.
                self.target.delete_files(writing(self.month))
                return None

    def _is_exported(self, planned: Sequence[PlannedFile], manifest: dict[str, object]) -> bool:
        digests = {each.entity: self._sha256(each) for each in planned}
        return is_of(manifest, digests, str(Filter.parse(self.run.load_settings.filter)))

    def _sha256(self, planned: PlannedFile) -> str | None:
        """As the file was verified."""
        return self.run.files.sha256(planned) or planned.sha256
