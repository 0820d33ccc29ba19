"""Every error that a user can meet: what happened, to what, and what to do.

An error is *transient* when the same call may succeed later without anybody doing
anything; only those are worth a retry.
"""

from __future__ import annotations


class DiscogsError(Exception):
    """The root of the package's errors; its text is written for the person who reads it."""

    transient: bool = False


class InvalidMonth(DiscogsError, ValueError):
    """A text that should name a month does not."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a month: write it as YYYY-MM, such as 2026-07.")


class InvalidSetting(DiscogsError, ValueError):
    """An environment variable holds what its setting does not take."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}: expected {expected}.")


class DumpError(DiscogsError):
    """A dump file cannot be used.

    :param name: of the file.
    :param detail: what was found, without a period at the end.
    """

    #: What is wrong, as a verb phrase.
    verdict: str
    #: What to do, a sentence after a space.
    advice = ""

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        super().__init__(f"{name} {self.verdict}: {detail}.{self.advice}")


class PackageIncomplete(DiscogsError):
    """A file of the package is missing where it is installed."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} is missing: the folder include/ belongs beside plugins/, as in the repository."
        )


class StorageError(DiscogsError):
    """The place where dumps are stored cannot be used."""
