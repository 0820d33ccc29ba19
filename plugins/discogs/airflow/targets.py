"""The target of a DAG: the database and schema that it loads into. One Airflow may have several
such DAGs, each with its own database or schema.

The target is kept in attributes of the tasks that Airflow serializes with the DAG, so that the
listeners, which do not read DAG files, find it too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from discogs.airflow.runs import DAG_ID
from discogs.settings import Settings

if TYPE_CHECKING:
    from discogs.airflow.hooks.postgres import DiscogsPostgresHook

POSTGRES = "discogs_postgres"
DUMPS = "discogs_dumps"
_MODULES = "discogs.airflow."


@dataclass(frozen=True)
class Target:
    """The connections and settings of a DAG.

    :param overrides: settings by name, in place of those of the environment; with ``folder``, the
        folder of the DAG's files below the storage.
    """

    dag_id: str = DAG_ID
    postgres_conn_id: str = POSTGRES
    dumps_conn_id: str = DUMPS
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Any) -> Target:
        """The target of one of the package's tasks, executed or serialized."""
        return cls(
            dag_id=str(task.dag_id),
            postgres_conn_id=getattr(task, "postgres_conn_id", None) or POSTGRES,
            dumps_conn_id=getattr(task, "dumps_conn_id", None) or DUMPS,
            overrides=dict(getattr(task, "overrides", None) or {}),
        )

    @classmethod
    def of_dag(cls, dag: Any) -> Target | None:
        """The target of a DAG, parsed or serialized; None if it is not one of the package's."""
        for task in dag.tasks:
            module = getattr(task, "_task_module", None) or type(task).__module__
            if str(module).startswith(_MODULES) and hasattr(task, "postgres_conn_id"):
                return cls.of(task)
        return None

    @property
    def settings(self) -> Settings:
        """The settings of the environment, with those that the DAG's file overrides.

        :raises InvalidSetting: for a value that a setting does not take.
        """
        settings, overrides = Settings.from_environment(), dict(self.overrides)
        if folder := overrides.pop("folder", None):
            overrides["storage"] = f"{settings.storage.rstrip('/')}/{folder}"
            if settings.export:
                overrides.setdefault("export", f"{settings.export.rstrip('/')}/{folder}")
        if isinstance(overrides.get("alerts"), list):  # as JSON has it
            overrides["alerts"] = tuple(overrides["alerts"])
        return dataclasses.replace(settings, **overrides)

    def hook(self) -> DiscogsPostgresHook:
        """Connections to the target database."""
        from discogs.airflow.hooks.postgres import DiscogsPostgresHook

        return DiscogsPostgresHook(self.postgres_conn_id, settings=self.settings)


def target_of(dag_run: Any) -> Target | None:
    """The target of a run, for a listener; None if its DAG is not one of the package's."""
    dag = getattr(dag_run, "dag", None)
    if dag is None:
        from airflow.models.dagbag import DBDagBag
        from sqlalchemy.orm import object_session

        session = object_session(dag_run)
        if session is None:
            return None
        dag = DBDagBag(load_op_links=False).get_dag_for_run(dag_run, session=session)
    return Target.of_dag(dag) if dag is not None else None
