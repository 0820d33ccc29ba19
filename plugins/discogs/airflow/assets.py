"""The assets that a loaded month updates, one an entity: its root table and those below it.

Schedule a DAG of your own on them with ``PartitionedAssetTimetable``; a partition is a month.
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

    Its URI, ``postgres://discogs_postgres:5432/discogs/SCHEMA/releases``, is a name and no address:
    a DAG file has to know it without opening a connection, and it must not change when the
    database moves. The host is the connection's id; Airflow's postgres provider requires a host, a
    database, a schema and a table.

    :param settings: by default those of the environment.
    :param postgres_conn_id: of a DAG that loads into another database than ``discogs_monthly``.
    :param schema: of a DAG that loads into another schema; by default that of the settings.
    """
    usual = Settings.from_environment().schema
    if schema is None:
        schema = settings.schema if settings is not None else usual
    name = f"discogs_{entity}"
    if (postgres_conn_id, schema) != (POSTGRES, usual):
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
