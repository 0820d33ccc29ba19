"""The base classes of the package's errors. A message says what happened, to what, and what to do.

An error is *transient* when the same call may succeed later without any action; only such errors
are retried.
"""

from __future__ import annotations


class DiscogsError(Exception):
    """The base class of the package's errors; the message is written for users."""

    transient: bool = False


class InvalidMonth(DiscogsError, ValueError):
    """A text is not a month."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a month: write it as YYYY-MM, such as 2026-07.")


class InvalidSetting(DiscogsError, ValueError):
    """A setting has an invalid value."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}: expected {expected}.")


class DumpError(DiscogsError):
    """A dump file cannot be used.

    :param name: name of the file.
    :param detail: what was found, without a final period.
    """

    #: What is wrong, as a verb phrase.
    verdict: str
    #: What to do: a space and a sentence.
    advice = ""

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        super().__init__(f"{name} {self.verdict}: {detail}.{self.advice}")


class PackageIncomplete(DiscogsError):
    """A file of the package is missing from the installation."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} is missing: the folder include/ belongs beside plugins/, as in the repository."
        )


class StorageError(DiscogsError):
    """The storage of dumps, or of an export, cannot be used."""
