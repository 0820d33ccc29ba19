"""The DAG: it parses quickly, and has the intended graph."""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.dag_edges import dag_edges

from discogs.airflow.assets import entity_asset
from discogs.airflow.dag import discogs_dag
from discogs.airflow.failures import task_failed
from discogs.airflow.retries import TransientRetryPolicy
from discogs.airflow.targets import Target
from discogs.errors import InvalidSetting
from discogs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ENTITIES = ["labels", "artists", "masters", "releases"]
GROUPS = ["prepare", "files", "stage", "merge", "finish"]
WORK = {
    "migrate",
    "month_pending",
    "wait_for_dump",
    "fetch_checksums",
    "download",
    "checksum",
    "ready",
    *(f"{step}.{entity}" for entity in ENTITIES for step in ("stage", "merge")),
    "merge.check_staged",
    "checks",
    "complete",
}


@pytest.fixture(scope="module")
def dag() -> Any:
    bag = DagBag(str(ROOT / "dags" / "discogs_monthly.py"), load_op_links=False)
    assert bag.import_errors == {}
    assert list(bag.dags) == ["discogs_monthly"]
    return bag.dags["discogs_monthly"]


def test_the_tasks_are_the_steps_of_a_month(dag: Any) -> None:
    assert set(dag.task_ids) == {*WORK, "resolve_month", "cleanup"}


def test_every_step_comes_after_those_that_it_needs(dag: Any) -> None:
    order = [task.task_id for task in dag.topological_sort()]
    prepare = ["resolve_month", "migrate", "month_pending", "wait_for_dump", "fetch_checksums"]
    files = ["download", "checksum", "ready"]
    stage, merge = ([f"{step}.{entity}" for entity in ENTITIES] for step in ("stage", "merge"))
    merge.insert(0, "merge.check_staged")
    finish = ["checks", "complete", "cleanup"]

    assert order == [*prepare, *files, *stage, *merge, *finish]
    for row in ([*prepare, *files], [*merge, *finish]):
        for before, after in itertools.pairwise(row):
            assert dag.get_task(after).upstream_task_ids == {before}


def test_nothing_is_merged_before_every_file_is_staged(dag: Any) -> None:
    for entity in ENTITIES:
        assert dag.get_task(f"stage.{entity}").upstream_task_ids == {"ready"}
        assert dag.get_task(f"merge.{entity}").max_active_tis_per_dag == 1
    first = dag.get_task("merge.check_staged")
    assert first.upstream_task_ids == {f"stage.{entity}" for entity in ENTITIES}


def test_the_graph_can_be_read(dag: Any) -> None:
    graph_can_be_read(dag, GROUPS)


def graph_can_be_read(dag: Any, groups: list[str]) -> None:
    serialized = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    edges = [(edge["source_id"], edge["target_id"]) for edge in dag_edges(serialized)]

    # Between two groups the page draws one line, through the groups' joins.
    for before, after in itertools.pairwise(groups):
        assert (f"{before}.downstream_join_id", f"{after}.upstream_join_id") in edges
    for task_id in dag.task_ids:
        assert sum(source == task_id for source, _ in edges) <= 1, task_id
        assert sum(target == task_id for _, target in edges) <= 1, task_id


def test_with_the_setting_a_month_is_exported_between_merges_and_checks() -> None:
    dag = discogs_dag(export="/data/parquet")

    export = ["export.begin", "export.write", "export.publish"]
    assert set(dag.task_ids) == {*WORK, *export, "resolve_month", "cleanup"}
    for before, after in itertools.pairwise(["merge.releases", *export, "checks"]):
        assert dag.get_task(after).upstream_task_ids == {before}
    write = dag.get_task("export.write")
    template = dag.get_template_env().from_string(write.map_index_template)
    for given, name in (({"shards": 1}, "labels"), ({"shards": 4}, "labels, shard 2 of 4")):
        task = write.unmap({"entity": "labels", "shard": 1, **given})
        assert template.render(task=task) == name
    graph_can_be_read(dag, [*GROUPS[:-1], "export", GROUPS[-1]])
    for check in (
        test_the_failure_of_any_task_fails_the_run,
        test_only_transient_errors_are_retried,
        test_mapped_tasks_have_names,
        test_every_task_is_explained_owned_and_findable,
    ):
        check(dag)


def test_the_failure_of_any_task_fails_the_run(dag: Any) -> None:
    assert {task.task_id for task in dag.leaves} == {"cleanup"}
    for task in dag.tasks:
        assert task.on_failure_callback == [task_failed], task.task_id


def test_only_transient_errors_are_retried(dag: Any) -> None:
    for task in dag.tasks:
        assert isinstance(task.retry_policy, TransientRetryPolicy), task.task_id


def test_mapped_tasks_have_names(dag: Any) -> None:
    for task in dag.tasks:
        if task.is_mapped:
            assert task.map_index_template, task.task_id


def test_the_scheduler_reads_back_the_same_graph(dag: Any) -> None:
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))

    assert set(again.task_dict) == set(dag.task_dict)
    for task_id, task in dag.task_dict.items():
        assert again.get_task(task_id).downstream_task_ids == task.downstream_task_ids
    assert again.timetable.serialize() == dag.timetable.serialize()
    assert (again.max_active_runs, again.catchup) == (16, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"year_month": "2026-7"},
        {"year_month": "2026-13"},
        {"entities": ["songs"]},
        {"entities": []},
        {"shards": 0},
        {"shards": "many"},
        {"force": "yes"},
    ],
)
def test_an_invalid_parameter_is_refused(dag: Any, wrong: dict[str, object]) -> None:
    params = copy.deepcopy(dag.params)

    with pytest.raises(ParamValidationError):
        params.update(wrong)


def test_the_defaults_are_accepted_and_every_parameter_is_described(dag: Any) -> None:
    values = dag.params.validate()

    assert values["entities"] == ENTITIES
    assert {name: values[name] for name in ("year_month", "shards", "force")} == {
        "year_month": None,
        "shards": None,
        "force": False,
    }
    for name in dag.params:
        assert dag.params.get_param(name).description, name


def test_the_page_explains_the_dag(dag: Any) -> None:
    for task_id in ("month_pending", "wait_for_dump", "complete"):
        assert f"`{task_id}`" in dag.doc_md


def test_every_task_is_explained_owned_and_findable(dag: Any) -> None:
    for task in dag.tasks:
        operator = task.operator_class if task.is_mapped else type(task)
        first = " ".join(operator.__doc__.split())[:40].replace("``", "`")
        assert " ".join(task.doc_md.split()).startswith(first), task.task_id
        assert ":param" not in task.doc_md
        assert ":class:" not in task.doc_md
        assert task.owner == "discogs"
    assert dag.tags == {"discogs", "postgres", "monthly"}


def test_tasks_run_where_airflow_runs_any_task(dag: Any) -> None:
    assert {(task.pool, task.queue) for task in dag.tasks} == {("default_pool", "default")}
    given = discogs_dag(default_args={"pool": "loads", "queue": "big", "retries": 7})
    assert {(task.pool, task.queue) for task in given.tasks} == {("loads", "big")}
    assert given.get_task("migrate").retries == 7


def test_a_second_dag_carries_its_own_target_also_when_it_is_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DISCOGS_STORAGE", str(tmp_path))
    monkeypatch.setenv("DISCOGS_EXPORT", "s3://bucket/parquet")

    def page(_context: object) -> None: ...

    second = discogs_dag(
        {"on_failure_callback": page},
        dag_id="discogs_test",
        postgres_conn_id="test_db",
        schema="test",
        schedule="off",
        alerts=("failure",),
    )
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(second))))
    for dag in (second, stored):
        target = Target.of_dag(dag)
        assert target is not None
        assert (target.dag_id, target.postgres_conn_id) == ("discogs_test", "test_db")
        settings = target.settings
        assert (settings.schema, settings.alerts) == ("test", ("failure",))
        assert settings.storage == str(tmp_path / "discogs_test")
        assert settings.export == "s3://bucket/parquet/discogs_test"
    for task in second.tasks:
        assert task.on_failure_callback == [task_failed, page], task.task_id
        if not task.is_mapped:
            assert Target.of(task).settings == settings, task.task_id
    mapped = second.get_task("download").unmap({"file": {}})
    assert (Target.of(mapped).postgres_conn_id, Target.of(mapped).settings) == ("test_db", settings)
    (alert,) = second.on_failure_callback
    assert (alert.postgres_conn_id, alert.settings.schema) == ("test_db", "test")
    assets = {asset.name: asset for asset in second.get_task("complete").outlets}
    ours = assets["discogs_releases.test_db.test"]
    assert ours.uri == "postgres://test_db:5432/discogs/test/releases"
    assert ours.extra["table"] == "test.releases"
    assert ours == entity_asset("releases", postgres_conn_id="test_db", schema="test")
    with pytest.raises(InvalidSetting, match="DISCOGS_SHARDS"):
        discogs_dag(dag_id="wrong", shards=0)


def test_the_target_of_the_usual_dag_is_that_of_the_environment(
    dag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCOGS_SCHEMA", "elsewhere")
    target = Target.of_dag(dag)
    assert target == Target()
    assert target.settings == Settings.from_environment()
    with DAG("another", schedule=None) as other:
        EmptyOperator(task_id="t")
    assert Target.of_dag(other) is None


def test_files_are_fetched_one_at_a_time_unless_more_are_allowed(dag: Any) -> None:
    assert dag.get_task("download").max_active_tis_per_dag == 1
    allowed = discogs_dag(parallel_downloads=4)
    assert allowed.get_task("download").max_active_tis_per_dag == 4


def test_the_example_is_a_dag_to_copy() -> None:
    bag = DagBag(str(ROOT / "examples"), load_op_links=False)

    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["discogs_changes", "discogs_second"]


def test_parsing_is_quick_and_imports_nothing_heavy() -> None:
    code = """
import json, sys, time
import airflow.sdk, airflow.timetables.trigger, airflow.triggers.base
from airflow.sdk import DAG, Asset, Param, TaskGroup, BaseOperator, BaseSensorOperator, SkipMixin
Asset("any", uri="postgres://h:5432/d/s/t")  # loads what every installed provider brings for assets
before, started = set(sys.modules), time.process_time()
import discogs_monthly
seconds = time.process_time() - started
print(json.dumps({"seconds": seconds, "modules": sorted(set(sys.modules) - before)}))
"""
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT / "dags")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])

    assert answer["seconds"] < 1.0
    heavy = {
        "pyarrow",
        "lxml",
        "wasmtime",
        "numpy",
        "psycopg",
        "requests",
        "pycurl",
        "aiohttp",
        "rich",
    }
    assert heavy.isdisjoint(answer["modules"])
