"""The seed of an entity's fingerprints, computed from its mapping.

A record is read if its fingerprint differs from the stored one. When the mapping changes, so do the
seed and all fingerprints, and the next month reads every record once.
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
    """A 64-bit seed that depends only on the mapping, VALUES_VERSION and the filter.

    It is the same in every process and Python version. The order of fields and child tables, and
    attributes that have their defaults, do not change it.

    :param conditions: the filter of the entity. When it changes, every record is read once, to
        decide which records it leaves out.
    """
    declared = [VALUES_VERSION, _plain(mapping), *([conditions] if conditions else [])]
    text = json.dumps(declared, sort_keys=True)
    return xxhash.xxh3_64_intdigest(text.encode())


def _plain(value: Any) -> Any:
    """A declaration as plain values for JSON."""
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
