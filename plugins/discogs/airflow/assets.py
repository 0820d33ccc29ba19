"""The assets that a loaded month updates: one per entity, for its root table and child tables.

Schedule your own DAG on them with ``PartitionedAssetTimetable``; a partition is a month.
"""

from __future__ import annotations

from airflow.sdk import Asset

from discogs.airflow.targets import POSTGRES
from discogs.schema.entities import Entity
from discogs.settings import Settings


def entity_asset(
    entity: Entity | str,
    settings: Settings | None = None,
    *,
    postgres_conn_id: str = POSTGRES,
    schema: str | None = None,
) -> Asset:
    """The asset of an entity's tables, such as ``discogs_releases``.

    Its URI, ``postgres://discogs_postgres:5432/discogs/SCHEMA/releases``, is a name, not an
    address: a DAG file must know it without opening a connection, and it must not change when the
    database moves. The host is the connection's id; Airflow's postgres provider requires a host, a
    database, a schema and a table.

    :param settings: default: those of the environment.
    :param postgres_conn_id: for a DAG that loads into another database than ``discogs_monthly``.
    :param schema: for a DAG that loads into another schema; default: that of the settings.
    """
    default_schema = Settings.from_environment().schema
    if schema is None:
        schema = settings.schema if settings is not None else default_schema
    name = f"discogs_{entity}"
    if (postgres_conn_id, schema) != (POSTGRES, default_schema):
        name = f"{name}.{postgres_conn_id}.{schema}"
    return Asset(
        name=name,
        uri=f"postgres://{postgres_conn_id}:5432/discogs/{schema}/{entity}",
        group="discogs",
        extra={
            "table": f"{schema}.{entity}",
            "live_records": f"{schema}.live_{entity}",
            "changes": f"{schema}.entity_changes",
            "connection": postgres_conn_id,
            "months": "/discogs/",
        },
    )


def all_assets(settings: Settings, postgres_conn_id: str = POSTGRES) -> list[Asset]:
    """The four assets, in the order of the merges."""
    return [entity_asset(entity, settings, postgres_conn_id=postgres_conn_id) for entity in Entity]
