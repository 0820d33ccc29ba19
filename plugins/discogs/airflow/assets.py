"""The assets that a loaded month updates, one an entity: its root table and those below it.

Schedule a DAG of your own on them with ``PartitionedAssetTimetable``; a partition is a month.
"""

from __future__ import annotations

from airflow.sdk import Asset

from discogs.schema.entities import Entity
from discogs.settings import Settings


def entity_asset(entity: Entity | str, settings: Settings | None = None) -> Asset:
    """The asset of an entity's tables, such as ``discogs_releases``.

    Its URI, ``postgres://discogs_postgres:5432/discogs/SCHEMA/releases``, is a name and no address:
    a DAG file has to know it without opening a connection, and it must not change when the
    database moves. The host is the connection's id; Airflow's postgres provider requires a host, a
    database, a schema and a table.
    """
    settings = settings if settings is not None else Settings.from_environment()
    return Asset(
        name=f"discogs_{entity}",
        uri=f"postgres://discogs_postgres:5432/discogs/{settings.schema}/{entity}",
        group="discogs",
    )


def all_assets(settings: Settings | None = None) -> list[Asset]:
    """The four assets, in the order of the merges."""
    return [entity_asset(entity, settings) for entity in Entity]
