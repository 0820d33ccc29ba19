"""Errors in a dump's bytes. The file is refused, and nothing of it is loaded."""

from __future__ import annotations

from discogs.errors import DumpError


class NotADump(DumpError):
    """A file is not one of Discogs' dumps, or not of the expected entity."""

    verdict = "is not the dump that its name says"
    advice = " Download the file again, and check where it came from."


class TruncatedDump(DumpError):
    """A dump ends before its root element is closed."""

    verdict = "is cut short"
    advice = " Nothing of it was loaded; download the file again."


class CorruptDump(DumpError):
    """A dump's bytes are damaged."""

    verdict = "is damaged"
    advice = " Nothing of it was loaded; download the file again."
