"""A server of dumps: which set of files makes a month, and their published digests."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import requests

from discogs.dumps import checksums, listing
from discogs.dumps.limits import Limits
from discogs.dumps.listing import DumpFile, DumpSet, Listed
from discogs.dumps.names import DumpName, Layout, checked_base
from discogs.dumps.transport import Transport, make_session
from discogs.errors import (
    ChecksumFileInvalid,
    DumpIncomplete,
    DumpNotPublished,
    ListingInvalid,
    RequestRefused,
)
from discogs.schema.entities import ENTITIES, Entity, Month

__all__ = ["DumpFile", "DumpSet", "DumpSource", "make_session"]

log = logging.getLogger(__name__)

_MAX_PAGES = 10
# What a server says of a file or listing that is not there, or that it does not show.
_ABSENT = (401, 403, 404, 405, 410)


class DumpSource:
    """A server of dumps.

    :param session: sends the requests; its login goes to this server alone.
    :param base_url: such as ``https://data.discogs.com``.
    :param layout: how the server addresses its files.
    :raises AddressInvalid: when ``base_url`` is not an HTTP address, or holds a login.
    """

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        layout: Layout | str = Layout.DISCOGS,
        limits: Limits | None = None,
    ) -> None:
        self.base_url = checked_base(base_url)
        self.layout = Layout(layout)
        self.transport = Transport(session, limits if limits is not None else Limits())

    def url(self, name: DumpName) -> str:
        """The address of a file on this server."""
        return self.layout.file_url(self.base_url, name)

    def find(self, month: Month, entities: Sequence[Entity] = ENTITIES) -> DumpSet:
        """The set of files that makes the month's dump: one request, or two where the
        listing is refused and the direct address of the 1st is tried instead.

        :param entities: those that the set must have.
        :raises DumpNotPublished, DumpIncomplete, RateLimited, TransferFailed: look again later.
        :raises SourceError: when the server cannot be used as it is.
        """
        url = self.layout.listing_url(self.base_url, month)
        try:
            listed = self._list(month)
        except RequestRefused as error:
            if error.status not in _ABSENT:
                raise
            log.warning("The listing at %s answers %d.", url, error.status)
        except ListingInvalid as error:
            log.warning("%s", error)
        else:
            return listing.choose(month, listed, self.url, entities)
        return self._find_directly(month, entities)

    def _list(self, month: Month) -> list[Listed]:
        found: list[Listed] = []
        token: str | None = None
        for _ in range(_MAX_PAGES):
            url = self.layout.listing_url(self.base_url, month, token)
            body = self.transport.text(url, listing.MAX_BYTES)
            page = listing.parse(self.layout, body, url)
            found += page.files
            token = page.token
            if token is None:
                return found
        raise ListingInvalid(url, f"it has more than {_MAX_PAGES} pages")

    def _find_directly(self, month: Month, entities: Sequence[Entity]) -> DumpSet:
        """The set of the 1st, as its CHECKSUM.txt names it."""
        marker = DumpName(month.first_day, None)
        try:
            named = self._read(DumpFile(str(marker), self.url(marker)))
        except RequestRefused as error:
            if error.status not in _ABSENT:
                raise
            raise DumpNotPublished(
                month,
                f"no listing can be read, and {self.url(marker)} answers {error.status}"
                + (" (some servers say that of files that are not there)" * (error.status != 404)),
            ) from error
        except ChecksumFileInvalid as error:
            # An unknown path may be answered with status 200 and a page.
            raise DumpNotPublished(
                month, f"no listing can be read, and where {marker} should be is something else"
            ) from error
        names = [DumpName(month.first_day, entity) for entity in (*entities, None)]
        lacking = [str(name) for name in names[:-1] if str(name) not in named]
        if lacking:
            raise DumpIncomplete(month, lacking)
        return listing.choose(month, [Listed(name) for name in names], self.url, entities)

    def _read(self, file: DumpFile) -> dict[str, str]:
        body = self.transport.text(file.url, checksums.MAX_BYTES)
        return checksums.parse(file.name, body)

    def checksums(self, dump_set: DumpSet) -> dict[str, str]:
        """The published SHA-256 of each file of the set, lower-case hexadecimal, by name.

        Read it anew when a digest does not fit: Discogs has re-uploaded files of a dump,
        with a new CHECKSUM.txt.

        :raises ChecksumFileInvalid: when a CHECKSUM.txt cannot be read or lacks a file.
        """
        published: dict[str, str] = {}
        for file in dump_set.checksums:
            for name, digest in self._read(file).items():
                # A day's CHECKSUM.txt speaks for the files of its own day first.
                if published.get(name) is None or name[:16] == file.name[:16]:
                    published[name] = digest
        for wanted in dump_set.files:
            if wanted.name not in published:
                raise ChecksumFileInvalid(dump_set.checksums[-1].name, f"it lacks {wanted.name}")
        return {file.name: published[file.name] for file in dump_set.files}

    def checksum(self, dump_set: DumpSet, name: str) -> str:
        """The SHA-256 that is published for a file now."""
        return self.checksums(dump_set)[name]
