"""The seed of an entity's fingerprints: another mapping, other fingerprints.

A record is read when its fingerprint is not the stored one. Since the seed is computed from the
entity's declarations, a month that is loaded after they changed reads every record once.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import xxhash

from discogs.schema.model import EntityMapping, Field, Rows
from discogs.schema.values import VALUES_VERSION


def fingerprint_seed(mapping: EntityMapping, conditions: str = "") -> int:
    """64 bits that depend on what a mapping declares and on VALUES_VERSION, and on nothing else.

    :param conditions: of a filter. With others, every record is read once, to see which it is for.

    The same in every process and Python version; the order of fields and of child tables does
    not count, and neither does an attribute that has its default.
    """
    declared = [VALUES_VERSION, _plain(mapping), *([conditions] if conditions else [])]
    text = json.dumps(declared, sort_keys=True)
    return xxhash.xxh3_64_intdigest(text.encode())


def _plain(value: Any) -> Any:
    """A declaration as JSON takes it."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in fields(value)
            if field.compare and getattr(value, field.name) != field.default
        }
    if isinstance(value, tuple):
        items = [_plain(item) for item in value]
        declared_by_name = all(isinstance(item, Field | Rows) for item in value)
        return sorted(items, key=json.dumps) if declared_by_name else items
    if callable(value):
        return value.__qualname__
    return value
