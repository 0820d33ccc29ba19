"""
### Discogs' monthly dump, loaded into PostgreSQL

Runs every day for the dump of the current month and, an hour earlier, for that of the previous
month, which may be late or uploaded again. A run belongs to one month, its *partition key*
(`2026-07`). Once that month is loaded, a run is skipped from `month_pending` on, unless Discogs has
uploaded the dump again.

*prepare* checks whether there is anything to do, and waits for the dump in `wait_for_dump`; *files*
downloads and verifies the files; *stage* parses the records that changed; *merge* merges them into
the tables, one transaction per entity; *finish* runs checks, reports in `complete`, and deletes old
files. With `DISCOGS_EXPORT`, *export* writes the month as Parquet before *finish*. Each task's
documentation describes the task.

The status of each month, and why it failed, is in `discogs_data_processing`. To load a past month,
trigger the DAG with its partition key, or run
`airflow backfill create --dag-id discogs_monthly --from-date … --to-date …`.
A failed task can be cleared at any time: no step repeats completed work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, TaskGroup, chain

from discogs.airflow import notifications
from discogs.airflow.assets import all_assets
from discogs.airflow.failures import task_failed
from discogs.airflow.operators.base import FILES_FROM
from discogs.airflow.operators.exporting import (
    BeginExportOperator,
    PublishExportOperator,
    WriteExportOperator,
)
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
from discogs.airflow.operators.processing import (
    ChecksOperator,
    CheckStagedOperator,
    MergeOperator,
    StageOperator,
)
from discogs.airflow.retries import TransientRetryPolicy
from discogs.airflow.runs import DAG_ID
from discogs.airflow.sensors import DumpAvailableSensor
from discogs.airflow.targets import DUMPS, POSTGRES, Target
from discogs.airflow.timetables import timetable
from discogs.schema.entities import Entity

ENTITIES = [str(entity) for entity in Entity]
# A run that waits for its dump is active for hours, and other runs must not queue behind it: the
# months' rows, locks and turns keep runs apart. Airflow's own default, whatever a deployment sets.
MAX_ACTIVE_RUNS = 16
# For transient errors; TransientRetryPolicy does not retry others.
RETRIES = {
    "retries": 3,
    "retry_delay": dt.timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": dt.timedelta(hours=1),
    "retry_policy": TransientRetryPolicy(),
}


def discogs_dag(
    default_args: Mapping[str, Any] | None = None,
    *,
    dag_id: str = DAG_ID,
    postgres_conn_id: str = POSTGRES,
    dumps_conn_id: str = DUMPS,
    alerts_conn_id: str = notifications.ALERTS,
    parallel_downloads: int = 1,
    **overrides: Any,
) -> DAG:
    """Create the DAG ``discogs_monthly``, or a second one for another database or schema.

    Call it at the top level of a file in the DAGs folder.

    :param default_args: default arguments of the tasks, such as a pool or a queue. An
        ``on_failure_callback`` is called in addition to the package's own.
    :param dag_id: id of the DAG; a second DAG needs its own.
    :param postgres_conn_id: connection of the target database.
    :param dumps_conn_id: connection of the dump server.
    :param alerts_conn_id: connection that alerts are sent through.
    :param parallel_downloads: number of files that are downloaded at a time, over all runs of the
        DAG. Discogs' server limits requests, so keep one for it; your own mirror may allow more.
    :param overrides: settings in place of those of the environment, such as ``schema="test"``. A
        second DAG keeps its files in its own folders below ``DISCOGS_STORAGE`` and
        ``DISCOGS_EXPORT``.
    :raises InvalidSetting: for a value that a setting does not take.
    """
    default_args = dict(default_args or {})
    postgres_conn_id = default_args.pop("postgres_conn_id", postgres_conn_id)
    dumps_conn_id = default_args.pop("dumps_conn_id", dumps_conn_id)
    if dag_id != DAG_ID and "storage" not in overrides:
        overrides["folder"] = dag_id  # each DAG's cleanup deletes files in its storage
    target = Target(dag_id, postgres_conn_id, dumps_conn_id, overrides)
    settings = target.settings
    with DAG(
        dag_id=dag_id,
        description="Discogs' monthly data dump, loaded into PostgreSQL",
        doc_md=__doc__,
        schedule=timetable(settings.schedule),
        start_date=dt.datetime(2008, 1, 1, tzinfo=dt.timezone.utc),
        catchup=False,
        max_active_runs=MAX_ACTIVE_RUNS,
        params=load_params(settings),
        tags=["discogs", "postgres", "monthly"],
        default_args={
            "owner": "discogs",
            "postgres_conn_id": postgres_conn_id,
            "dumps_conn_id": dumps_conn_id,
            "overrides": overrides,
            **RETRIES,
            **default_args,
            "on_failure_callback": [task_failed, *_callbacks(default_args)],
        },
        on_failure_callback=notifications.on_failure(target, alerts_conn_id),
        on_success_callback=notifications.on_success(target, alerts_conn_id),
    ) as dag:
        with TaskGroup("prepare", prefix_group_id=False) as prepare:
            wait_for_dump = DumpAvailableSensor(task_id="wait_for_dump")
            fetch_checksums = FetchChecksumsOperator(task_id=FILES_FROM, dump=wait_for_dump.output)
            chain(
                ResolveMonthOperator(task_id="resolve_month"),
                MigrateOperator(task_id="migrate"),
                MonthPendingOperator(task_id="month_pending"),
                wait_for_dump,
                fetch_checksums,
            )

        with TaskGroup("files", prefix_group_id=False) as files:
            each: dict[str, Any] = {"map_index_template": "{{ task.file.entity }}"}
            # The limits hold for all runs together, such as those of a backfill. The scheduler
            # starts mapped tasks in the order of their map index.
            download = DownloadOperator.partial(
                task_id="download", max_active_tis_per_dag=parallel_downloads, **each
            ).expand(file=fetch_checksums.output)
            checksum = ChecksumOperator.partial(
                task_id="checksum", max_active_tis_per_dag=len(ENTITIES), **each
            ).expand(file=download.output)
            ready = ReadyOperator(task_id="ready")
            checksum >> ready

        with TaskGroup("stage") as stage:
            for entity in ENTITIES:
                StageOperator.partial(
                    task_id=entity,
                    entity=entity,
                    map_index_template="shard {{ task.shard + 1 }} of {{ task.shards }}",
                ).expand_kwargs(ready.output)

        with TaskGroup("merge") as merge:
            # In the order of the foreign keys. none_failed: an entity that this run leaves out is
            # skipped, and the next one is still merged.
            chain(
                CheckStagedOperator(task_id="check_staged", trigger_rule="none_failed"),
                *(
                    MergeOperator(
                        task_id=entity,
                        entity=entity,
                        trigger_rule="none_failed",
                        max_active_tis_per_dag=1,  # over all runs, as in a backfill
                    )
                    for entity in ENTITIES
                ),
            )

        exports = [_export()] if settings.export else []

        with TaskGroup("finish", prefix_group_id=False) as finish:
            chain(
                ChecksOperator(task_id="checks", trigger_rule="none_failed"),
                CompleteOperator(
                    task_id="complete", outlets=all_assets(settings, postgres_conn_id)
                ),
                CleanupOperator(task_id="cleanup"),
            )

        # Nothing is merged before every file is completely staged. The export comes before
        # `complete`: from then on the cleanup of any run may delete the month's files.
        chain(prepare, files, stage, merge, *exports, finish)
    return dag


def _export() -> TaskGroup:
    """The tasks that export the month as Parquet."""
    with TaskGroup("export") as export:
        # none_failed: also when the merge of the last entity is skipped.
        begin = BeginExportOperator(task_id="begin", trigger_rule="none_failed")
        write = WriteExportOperator.partial(
            task_id="write",
            map_index_template="{{ task.entity }}{% if task.shards > 1 %}, shard"
            " {{ task.shard + 1 }} of {{ task.shards }}{% endif %}",
        ).expand_kwargs(begin.output)
        write >> PublishExportOperator(task_id="publish")
    return export


def _callbacks(default_args: Mapping[str, Any]) -> list[Any]:
    """The failure callbacks that the DAG file passes, as a list."""
    given = default_args.get("on_failure_callback") or []
    return list(given) if isinstance(given, (list, tuple)) else [given]
