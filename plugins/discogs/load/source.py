"""The source of a month's files: a server of dumps, or a folder that has them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from discogs.dumps import checksums
from discogs.dumps.download import DownloadReport, download
from discogs.dumps.errors import ChecksumFileInvalid
from discogs.dumps.listing import DumpFile, DumpSet
from discogs.dumps.names import DumpName
from discogs.dumps.source import DumpSource
from discogs.dumps.storage import DumpStorage
from discogs.dumps.verify import digest, verify
from discogs.load.errors import FolderUnusable
from discogs.load.options import PlannedFile
from discogs.progress import OnProgress, Progress, Ticker
from discogs.schema.entities import ENTITIES, Entity, Month

log = logging.getLogger(__name__)

#: Seconds between two progress reports while a file is hashed.
_PROGRESS_SECONDS = 1.0


class Source(Protocol):
    """What a month's run needs of the source of its files."""

    @property
    def storage(self) -> DumpStorage:
        """The storage that has the files once they are fetched."""
        ...

    def find(self, month: Month, entities: Sequence[Entity] = ENTITIES) -> DumpSet:
        """The files of the month's dump."""
        ...

    def checksums(self, dump: DumpSet) -> dict[str, str]:
        """The published SHA-256 by file name, without the files that no CHECKSUM.txt lists."""
        ...

    def require_space(self, files: Iterable[PlannedFile]) -> None:
        """Check that the files that are still to be fetched fit in the storage."""
        ...

    def fetch(
        self, planned: PlannedFile, expected: str | None, on_progress: OnProgress
    ) -> DownloadReport:
        """Bring a file into the storage, unless the complete file is there.

        :param expected: the published SHA-256; None when no CHECKSUM.txt lists the file.
        """
        ...

    def verify(
        self, planned: PlannedFile, expected: str | None, on_progress: OnProgress | None = None
    ) -> tuple[str, int]:
        """Check that a stored file has the published SHA-256, if there is one.

        :returns: the file's SHA-256 and size.
        """
        ...


def _hashing(planned: PlannedFile, on_progress: OnProgress | None) -> Callable[[int], None]:
    """A function to call with the number of bytes that are hashed so far; reports the progress."""
    started, ticker = time.monotonic(), Ticker(_PROGRESS_SECONDS)

    def report(done: int) -> None:
        if on_progress is not None and (ticker.due() or done == planned.file.size):
            on_progress(
                Progress(
                    step="verify",
                    name=str(planned.entity),
                    done=done,
                    total=planned.file.size,
                    seconds=time.monotonic() - started,
                )
            )

    return report


@dataclass(frozen=True)
class ServerSource:
    """A server of dumps, and the storage that its files are downloaded to."""

    server: DumpSource
    storage: DumpStorage

    def find(self, month: Month, entities: Sequence[Entity] = ENTITIES) -> DumpSet:
        return self.server.find(month, entities)

    def checksums(self, dump: DumpSet) -> dict[str, str]:
        return self.server.checksums(dump)

    def require_space(self, files: Iterable[PlannedFile]) -> None:
        self.storage.require_space_for((planned.name, planned.file.size) for planned in files)

    def fetch(
        self, planned: PlannedFile, expected: str | None, on_progress: OnProgress
    ) -> DownloadReport:
        assert expected is not None, "a server's checksums list every file"
        return download(
            self.server,
            planned.file,
            self.storage,
            expected,
            current=lambda: self.server.checksum(planned.dump, planned.name),
            on_progress=on_progress,
        )

    def verify(
        self, planned: PlannedFile, expected: str | None, on_progress: OnProgress | None = None
    ) -> tuple[str, int]:
        assert expected is not None, "a server's checksums list every file"
        report = _hashing(planned, on_progress)
        return expected, verify(self.storage, planned.name, expected, report)


@dataclass(frozen=True)
class FolderSource:
    """A folder of dump files, which are read where they are and not changed."""

    folder: Path
    _digests: dict[str, tuple[str, int]] = field(default_factory=dict, repr=False)

    @property
    def storage(self) -> DumpStorage:
        return DumpStorage(self.folder)

    def find(self, month: Month, entities: Sequence[Entity] = ENTITIES) -> DumpSet:
        """The entities' files that are in the folder; of several with different days, the newest.

        :raises FolderUnusable: when there is no such folder, or none of the month's files in it.
        """
        if not self.folder.is_dir():
            raise FolderUnusable(f"{self.folder} is not a folder.")
        newest: dict[Entity, DumpName] = {}
        markers: list[DumpName] = []
        for path in sorted(self.folder.iterdir()):
            name = DumpName.parse(path.name)
            if name is None or name.month != month:
                continue
            if name.entity is None:
                markers.append(name)
            elif name.entity in entities:
                newest[name.entity] = name
        if not newest:
            expected = f"discogs_{month.year}{month.month:02d}DD_releases.xml.gz"
            raise FolderUnusable(
                f"{self.folder} holds no dump of {month}: expected files named like {expected}."
            )
        return DumpSet(
            month,
            max(name.day for name in newest.values()),
            tuple(self._file(newest[entity]) for entity in ENTITIES if entity in newest),
            tuple(self._file(name) for name in markers),
        )

    def _file(self, name: DumpName) -> DumpFile:
        path = self.folder / str(name)
        return DumpFile(path.name, path.absolute().as_uri(), path.stat().st_size, exact=True)

    def checksums(self, dump: DumpSet) -> dict[str, str]:
        published = checksums.combine({each.name: self._parsed(each) for each in dump.checksums})
        for file in dump.files:
            if file.name not in published:
                where = ", ".join(marker.name for marker in dump.checksums)
                why = f"{where} does not list it" if where else "there is no CHECKSUM.txt beside it"
                log.warning("%s is not verified: %s.", file.name, why)
        return {file.name: published[file.name] for file in dump.files if file.name in published}

    def _parsed(self, marker: DumpFile) -> dict[str, str]:
        try:
            return checksums.parse(marker.name, (self.folder / marker.name).read_bytes())
        except ChecksumFileInvalid as error:
            raise FolderUnusable(
                f"{error} To load the files without verifying them, move it out of {self.folder}."
            ) from error

    def require_space(self, files: Iterable[PlannedFile]) -> None:
        """Do nothing: the files are already in the storage."""

    def fetch(
        self, planned: PlannedFile, expected: str | None, on_progress: OnProgress
    ) -> DownloadReport:
        """Compute the file's SHA-256, which ``verify`` compares."""
        started = time.monotonic()
        report = _hashing(planned, on_progress)
        self._digests[planned.name] = digest(self.storage, planned.name, report)
        actual, size = self._digests[planned.name]
        seconds = round(time.monotonic() - started, 3)
        return DownloadReport(
            planned.name, planned.file.url, size, actual, already_there=True, seconds=seconds
        )

    def verify(
        self, planned: PlannedFile, expected: str | None, on_progress: OnProgress | None = None
    ) -> tuple[str, int]:
        """:raises FolderUnusable: when the file is not the one that CHECKSUM.txt lists."""
        actual, size = self._digests.get(planned.name) or digest(self.storage, planned.name)
        if expected is not None and actual != expected:
            raise FolderUnusable(
                f"{planned.name} does not match its CHECKSUM.txt, which lists SHA-256 {expected};"
                f" the file has {actual}. Nothing was loaded; replace the file."
            )
        return actual, size
