"""
### What a month changed

An example of a DAG that runs after `discogs_monthly`: copy this file into your DAGs folder. It runs
when the four entities of a month are loaded, with the month as its partition key, and counts the
changes in `entity_changes`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, PartitionedAssetTimetable, get_current_context, task

from discogs.airflow.assets import entity_asset

CHANGES = """
SELECT entity, change, count(*) AS records, min(id) AS first_id, max(id) AS last_id
FROM entity_changes
WHERE year_month = %(month)s
GROUP BY entity, change
ORDER BY entity, change
"""

with DAG(
    dag_id="discogs_changes",
    description="Lists the changes of a month of Discogs",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(
        assets=entity_asset("labels")
        & entity_asset("artists")
        & entity_asset("masters")
        & entity_asset("releases")
    ),
    catchup=False,
    tags=["discogs", "example"],
):

    @task
    def list_changes() -> list[dict[str, Any]]:
        """Count the changes of the month, which is the partition key of the run."""
        from psycopg.rows import dict_row

        from discogs.airflow.hooks.postgres import DiscogsPostgresHook

        month = get_current_context()["dag_run"].partition_key
        with DiscogsPostgresHook().connect() as conn, conn.cursor(row_factory=dict_row) as cur:
            found = cur.execute(CHANGES, {"month": month}).fetchall()
        for row in found:
            print(month, row)  # noqa: T201 - a task's output is its log
        return found

    list_changes()
