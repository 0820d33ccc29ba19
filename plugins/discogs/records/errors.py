"""Errors of a dump's bytes: the file is refused as a whole, and nothing of it is loaded."""

from __future__ import annotations

from discogs.errors import DumpError


class NotADump(DumpError):
    """A file holds something else than one of Discogs' dumps."""

    verdict = "is not the dump that its name says"
    advice = " Download the file again, and check where it came from."


class TruncatedDump(DumpError):
    """A dump lacks its end."""

    verdict = "is cut short"
    advice = " Nothing of it was loaded; download the file again."


class CorruptDump(DumpError):
    """A dump's bytes are damaged."""

    verdict = "is damaged"
    advice = " Nothing of it was loaded; download the file again."
