"""A month's files from a server into a storage, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from discogs.dumps.download import DownloadReport, download
from discogs.dumps.source import DumpSource
from discogs.dumps.storage import DumpStorage
from discogs.progress import OnProgress
from discogs.schema.entities import ENTITIES, Entity, Month

#: In which files are fetched: as Discogs publishes them, so that the largest comes last.
FETCH_ORDER = (Entity.LABELS, Entity.MASTERS, Entity.ARTISTS, Entity.RELEASES)


def fetch_month(
    source: DumpSource,
    month: Month,
    storage: DumpStorage,
    entities: Sequence[Entity] = ENTITIES,
    *,
    on_progress: OnProgress | None = None,
) -> Iterator[DownloadReport]:
    """Fetch and verify the files of a month, and put their CHECKSUM.txt beside them.

    What is there already, whole, is not fetched again, and what is there in part is gone on with
    where the server allows it. Two requests and one a file.

    :raises DumpNotPublished: when the month, or one of the files, is not there yet.
    :raises DiskFull: before anything is fetched, when not all fits.
    :raises DiscogsError: as :func:`~discogs.dumps.download.download` raises.
    """
    dump = source.find(month, entities)
    published = source.checksums(dump, keep=storage.write)
    storage.require_space_for((file.name, file.size) for file in dump.files)
    files = dump.by_entity
    for entity in FETCH_ORDER:
        if entity in files:
            file = files[entity]
            yield download(
                source,
                file,
                storage,
                published[file.name],
                current=partial(source.checksum, dump, file.name),
                on_progress=on_progress,
            )
