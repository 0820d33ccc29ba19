"""The assets that a loaded month updates: one an entity, its root table and those below it.

A DAG of yours is scheduled on them by ``PartitionedAssetTimetable``; a partition is a month.
"""

from __future__ import annotations

from airflow.sdk import Asset

from discogs.schema.entities import Entity
from discogs.settings import Settings


def entity_asset(entity: Entity | str, settings: Settings | None = None) -> Asset:
    """The asset of an entity's tables, such as ``discogs_releases``.

    Its address is the root table's, in the form that Airflow's postgres provider expects:
    ``postgres://host:port/database/schema/releases``.
    """
    settings = settings if settings is not None else Settings.from_environment()
    return Asset(
        name=f"discogs_{entity}",
        uri=f"postgres://{settings.asset_database}/{settings.schema}/{entity}",
        group="discogs",
    )


def all_assets(settings: Settings | None = None) -> list[Asset]:
    """The four assets, in the order of the merges."""
    return [entity_asset(entity, settings) for entity in Entity]
