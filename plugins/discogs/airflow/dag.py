"""
### Discogs' monthly dump, loaded into PostgreSQL

Looks every day for the dump of the month, and an hour before for that of the month before, which
may be late or uploaded anew. A run belongs to one month, its *partition key* (`2026-07`); once that
month is loaded, a run ends at `month_pending`, unless Discogs has uploaded the dump anew.

| task | what it does |
|---|---|
| `resolve_month`, `migrate`, `month_pending` | which month, are the tables up to date, is there anything to do |
| `wait_for_dump` | waits, in the triggerer, for the month's CHECKSUM, which is published last |
| `fetch_checksums`, `download`, `checksum`, `ready` | fetches the files and checks their SHA-256 |
| `labels` … `releases`: `stage`, `merge` | parses what changed into staging tables, then merges it in one transaction an entity |
| `checks`, `complete`, `cleanup` | asks whether all came out right, reports, deletes old files |

Where each month stands, and why it failed, is in `discogs_data_processing`. To load a past month, trigger the DAG with
its partition key, or `airflow backfill create --dag-id discogs_monthly --from-date … --to-date …`.
A failed task can be cleared at any time: every step finds what is done already.
"""  # noqa: E501

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, TaskGroup

from discogs.airflow import notifications
from discogs.airflow.assets import all_assets
from discogs.airflow.failures import DAG_ID, task_failed
from discogs.airflow.operators.docs import document
from discogs.airflow.operators.files import (
    ChecksumOperator,
    DownloadOperator,
    FetchChecksumsOperator,
    ReadyOperator,
)
from discogs.airflow.operators.finishing import CleanupOperator, CompleteOperator
from discogs.airflow.operators.params import load_params
from discogs.airflow.operators.planning import (
    MigrateOperator,
    MonthPendingOperator,
    ResolveMonthOperator,
)
from discogs.airflow.operators.processing import ChecksOperator, MergeOperator, StageOperator
from discogs.airflow.operators.retries import TransientRetryPolicy
from discogs.airflow.sensors import DumpAvailableSensor
from discogs.airflow.timetables import MonthlyDumpTimetable
from discogs.schema.entities import Entity
from discogs.settings import Settings

ENTITIES = [str(entity) for entity in Entity]
# For faults that may pass; others are not tried again, see TransientRetryPolicy.
RETRIES = {
    "retries": 3,
    "retry_delay": dt.timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": dt.timedelta(hours=1),
    "retry_policy": TransientRetryPolicy(),
}


def discogs_dag(
    default_args: Mapping[str, Any] | None = None, *, parallel_downloads: int = 1
) -> DAG:
    """The DAG ``discogs_monthly``, with the settings of the environment.

    Call it at the top level of a file in the DAGs folder.

    :param default_args: of its tasks, such as a pool, a queue or ``retries``.
    :param parallel_downloads: files that are fetched at a time, of all months together. Discogs'
        own server is asked for one; a mirror of one's own may bear more.
    """
    settings = Settings.from_environment()
    with DAG(
        dag_id=DAG_ID,
        description="Discogs' monthly data dump, loaded into PostgreSQL",
        doc_md=__doc__,
        schedule=None if settings.schedule == "off" else MonthlyDumpTimetable(settings.schedule),
        start_date=dt.datetime(2008, 1, 1, tzinfo=dt.timezone.utc),
        catchup=False,
        max_active_runs=1,
        params=load_params(settings),
        tags=["discogs", "postgres", "monthly"],
        default_args={
            "owner": "discogs",
            "on_failure_callback": task_failed,
            **RETRIES,
            **(default_args or {}),
        },
        on_failure_callback=notifications.on_failure(settings),
        on_success_callback=notifications.on_success(settings),
    ) as dag:
        resolve_month = ResolveMonthOperator(task_id="resolve_month")
        plan = resolve_month.output
        migrate = MigrateOperator(task_id="migrate")
        month_pending = MonthPendingOperator(task_id="month_pending", plan=plan)
        wait_for_dump = DumpAvailableSensor(task_id="wait_for_dump", plan=plan)
        fetch_checksums = FetchChecksumsOperator(
            task_id="fetch_checksums", plan=plan, dump=wait_for_dump.output
        )
        files = fetch_checksums.output
        each: dict[str, Any] = {"plan": plan, "map_index_template": "{{ discogs_entity }}"}
        # Also when a backfill has several months at work; the scheduler goes by the map index.
        download = DownloadOperator.partial(
            task_id="download", max_active_tis_per_dag=parallel_downloads, **each
        ).expand(file=files)
        checksum = ChecksumOperator.partial(
            task_id="checksum", max_active_tis_per_dag=len(ENTITIES), **each
        ).expand(file=files)
        ready = ReadyOperator(task_id="ready", plan=plan, files=files)
        resolve_month >> migrate >> month_pending >> wait_for_dump >> fetch_checksums
        fetch_checksums >> download >> checksum >> ready

        stages: list[Any] = []
        merges: list[MergeOperator] = []
        for entity in ENTITIES:
            with TaskGroup(entity):
                work: dict[str, Any] = {"plan": plan, "files": files, "entity": entity}
                stage = StageOperator.partial(
                    task_id="stage", map_index_template="{{ discogs_shard }}", **work
                ).expand(shard=ready.output)
                # The next entity is merged also when this run leaves one out.
                merge = MergeOperator(
                    task_id="merge",
                    trigger_rule="none_failed_min_one_success",
                    max_active_tis_per_dag=1,  # a backfill has several months at work
                    **work,
                )
                stage >> merge
            if merges:
                merges[-1] >> merge  # foreign keys point from each to those before it
            stages.append(stage)
            merges.append(merge)

        stages >> merges[0]  # nothing is merged before every file is staged whole

        checks = ChecksOperator(
            task_id="checks", plan=plan, files=files, trigger_rule="none_failed_min_one_success"
        )
        complete = CompleteOperator(task_id="complete", plan=plan, outlets=all_assets(settings))
        cleanup = CleanupOperator(task_id="cleanup", plan=plan)
        merges >> checks >> complete >> cleanup

        document(dag)
    return dag
