"""Access control: the DAG of a request, its target, and whether the user may read it."""

from __future__ import annotations

import time
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagTag
from airflow.models.dagbag import DBDagBag
from airflow.utils.session import create_session
from fastapi import Depends, HTTPException, Query, Request
from sqlalchemy import select

from discogs.airflow.runs import DAG_ID
from discogs.airflow.targets import Target
from discogs.database.connection import Connect

#: How long the target of a serialized DAG is cached.
_SECONDS = 30.0
_known: dict[str, tuple[float, Target | None]] = {}

DagId = Annotated[
    str,
    Query(
        max_length=250,
        pattern=r"^[^\x00]*$",
        description="the DAG whose target database is queried",
    ),
]


def require_access(request: Request, user: GetUserDep) -> None:
    """Refuse anonymous requests, and users who may not read the DAG of the request."""
    dag_id = request.query_params.get("dag_id") or DAG_ID
    try:
        requires_access_dag("GET", param_dag_id=dag_id)(request, user)
    except HTTPException:
        # The page's own files are the same for every DAG.
        if "/static/" not in request.url.path or not readable_dags(user):
            raise


def target(dag_id: DagId = DAG_ID) -> Target:
    """The target of the request's DAG."""
    found = _target(dag_id)
    if found is None:
        raise HTTPException(404, f"This Airflow has no DAG {dag_id} that loads Discogs' dumps.")
    return found


def connect(of: Annotated[Target, Depends(target)]) -> Connect:
    """Opens connections to the target's database."""
    return of.hook().connect


def readable_dags(user: GetUserDep) -> list[str]:
    """The DAGs that load dumps and that the user may read."""
    with create_session() as session:
        tagged = session.scalars(select(DagTag.dag_id).where(DagTag.name == "discogs")).all()
    allowed = get_auth_manager().get_authorized_dag_ids(user=user)
    return sorted(dag_id for dag_id in set(tagged) & allowed if _target(dag_id) is not None)


def _target(dag_id: str) -> Target | None:
    """A DAG's target, from its serialized form."""
    at, found = _known.get(dag_id, (0.0, None))
    now = time.monotonic()
    if found is None or now - at > _SECONDS:
        with create_session() as session:
            bag = DBDagBag(load_op_links=False)
            dag = bag.get_latest_version_of_dag(dag_id, session=session)
            found = Target.of_dag(dag) if dag is not None else None
        if found is None and dag_id == DAG_ID:
            found = Target()  # not parsed yet
        if found is not None:
            _known[dag_id] = now, found
    return found
