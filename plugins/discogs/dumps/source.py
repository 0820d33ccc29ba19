"""A server of dumps: the files of a month, and their published digests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import requests

from discogs.dumps import checksums, listing
from discogs.dumps.answers import shown
from discogs.dumps.errors import (
    AddressInvalid,
    BrowserCheck,
    ChecksumFileInvalid,
    DumpIncomplete,
    DumpNotPublished,
    ListingUnreadable,
    RequestRefused,
    SourceError,
)
from discogs.dumps.listing import DumpFile, DumpSet, Listed
from discogs.dumps.names import DumpName, Layout, checked_base
from discogs.dumps.transport import Limits, Transport, make_session
from discogs.schema.entities import ENTITIES, Entity, Month

__all__ = ["DumpFile", "DumpSet", "DumpSource", "Limits", "make_session"]

log = logging.getLogger(__name__)

_MAX_PAGES = 10
# Statuses of files that do not exist, or that the server does not show.
_ABSENT = (403, 404, 405, 410)


class DumpSource:
    """A server of dumps.

    :param session: sends the requests; its login is sent only to this server.
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
        """Find the files of a month's dump, with one request.

        If the listing is refused or cannot be read, the CHECKSUM.txt of the 1st of the month is
        requested instead, and then the beginning of each file that it lists.

        :param entities: the entities whose files are required.
        :raises DumpNotPublished, RateLimited, TransferFailed: try again later.
        :raises RequestRefused, BrowserCheck: when the server refuses this client.
        :raises ListingUnreadable: when the server sends neither a listing nor a CHECKSUM.txt.
        :raises AddressInvalid: when the server has neither of them.
        """
        url = self.layout.listing_url(self.base_url, month)
        refusal: RequestRefused | ListingUnreadable
        try:
            listed = self._list(month)
        except RequestRefused as error:
            if error.status not in _ABSENT:
                raise
            log.warning("The listing at %s answers %d.", url, error.status)
            refusal = error
        except ListingUnreadable as error:
            log.warning("%s", error)
            refusal = error
        else:
            return listing.choose(month, listed, self.url, entities)
        return self._find_directly(month, entities, refusal)

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
        raise ListingUnreadable(url, f"it has more than {_MAX_PAGES} pages")

    def _find_directly(
        self,
        month: Month,
        entities: Sequence[Entity],
        refusal: RequestRefused | ListingUnreadable,
    ) -> DumpSet:
        """Find the files of the 1st of the month by its CHECKSUM.txt.

        :param refusal: the error of the listing.
        """
        marker = DumpName(month.first_day, None)
        try:
            named = self._read(DumpFile(str(marker), self.url(marker)))
        except (RequestRefused, ChecksumFileInvalid) as error:
            raise self._neither(month, marker, refusal, error) from error
        lacking = [
            str(name)
            for name in (DumpName(month.first_day, entity) for entity in entities)
            if str(name) not in named or not self.transport.is_there(self.url(name))
        ]
        if lacking:
            raise DumpIncomplete(month, lacking)
        names = [DumpName(month.first_day, entity) for entity in (*entities, None)]
        return listing.choose(month, [Listed(name) for name in names], self.url, entities)

    def _neither(
        self,
        month: Month,
        marker: DumpName,
        refusal: RequestRefused | ListingUnreadable,
        error: RequestRefused | ChecksumFileInvalid,
    ) -> SourceError:
        """The error when neither the listing nor the CHECKSUM.txt can be read."""
        status = error.status if isinstance(error, RequestRefused) else None
        if status is not None and status not in _ABSENT:
            return error  # type: ignore[return-value]
        if isinstance(refusal, BrowserCheck):
            return refusal
        if isinstance(refusal, RequestRefused) and refusal.status == 403:
            if status in (404, 410):
                return DumpNotPublished(
                    month, f"its listing is refused, and {self.url(marker)} answers {status}"
                )
            return refusal
        if isinstance(refusal, ListingUnreadable) and status is None:
            return refusal
        answer = "something else" if status is None else str(status)
        return AddressInvalid(
            shown(self.base_url),
            f"neither a listing nor {marker} can be read there in the layout {self.layout}"
            f" ({self.url(marker)} answers {answer})",
        )

    def _read(
        self, file: DumpFile, keep: Callable[[str, bytes], object] | None = None
    ) -> dict[str, str]:
        body = self.transport.text(file.url, checksums.MAX_BYTES)
        digests = checksums.parse(file.name, body)
        if keep is not None:
            keep(file.name, body)
        return digests

    def checksums(
        self, dump_set: DumpSet, *, keep: Callable[[str, bytes], object] | None = None
    ) -> dict[str, str]:
        """The published SHA-256 of the files, in lower-case hexadecimal, by name.

        To be called again when a digest does not match, since Discogs may have uploaded the files
        and the CHECKSUM.txt again.

        :param keep: called with the name and content of each CHECKSUM.txt.
        :raises ChecksumFileInvalid: when a CHECKSUM.txt cannot be read, or does not list a file.
        """
        published = checksums.combine(
            {file.name: self._read(file, keep) for file in dump_set.checksums}
        )
        for wanted in dump_set.files:
            if wanted.name not in published:
                raise ChecksumFileInvalid(dump_set.checksums[-1].name, f"it lacks {wanted.name}")
        return {file.name: published[file.name] for file in dump_set.files}

    def checksum(self, dump_set: DumpSet, name: str) -> str:
        """The SHA-256 of a file that is published now."""
        return self.checksums(dump_set)[name]
