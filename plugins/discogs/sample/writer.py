"""The base class and helpers of the writers of the four entities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from discogs.sample.draws import Draws
from discogs.sample.references import References
from discogs.sample.shapes import Shape
from discogs.schema.entities import Entity

#: The elements of a record by name, in the order of the file, with its tags as ``start`` and
#: ``end``. Joined, they are a line of the file.
Sections = dict[str, str]


class Writer(ABC):
    """Writes the records of one entity."""

    entity: ClassVar[Entity]

    def __init__(self, references: References, shape: Shape) -> None:
        self.references = references
        self.shape = shape
        self.draws = Draws(references.plan.seed, self.entity)

    @abstractmethod
    def record(self, position: int, version: int) -> Sections:
        """The record at a position, in a version."""


def wrapped(element: str, content: str) -> str:
    """An element with its content; empty when the content is empty."""
    return f"<{element}>{content}</{element}>" if content else ""


def edited(text: str, version: int) -> str:
    """A text, with a line for the version unless it is 0."""
    if not version:
        return text
    return f"{text}\nSubmission {version + 1}." if text else f"No. {version + 1}."
