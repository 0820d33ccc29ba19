"""Fetching a month's files from a server into a storage, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from discogs.dumps.download import DownloadReport, download
from discogs.dumps.source import DumpSource
from discogs.dumps.storage import DumpStorage
from discogs.progress import OnProgress
from discogs.schema.entities import ENTITIES, Entity, Month

#: The order in which Discogs publishes the files; the largest is last.
FETCH_ORDER = (Entity.LABELS, Entity.MASTERS, Entity.ARTISTS, Entity.RELEASES)


def fetch_month(
    source: DumpSource,
    month: Month,
    storage: DumpStorage,
    entities: Sequence[Entity] = ENTITIES,
    *,
    on_progress: OnProgress | None = None,
) -> Iterator[DownloadReport]:
    """Fetch and verify the files of a month, with their CHECKSUM.txt.

    Complete files are not fetched again, and unfinished ones are resumed if the server supports it.
    Takes two requests, and one per file.

    :raises DumpNotPublished: when the month, or one of its files, is not published yet.
    :raises DiskFull: when the files do not fit, before anything is fetched.
    :raises DiscogsError: see :func:`~discogs.dumps.download.download`.
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
