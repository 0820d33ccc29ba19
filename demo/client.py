"""A small client of Airflow's public REST API, for the demo and the tests."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from demo.errors import AirflowRefused, LocalAirflowFailed

FINAL = frozenset({"success", "failed"})
RUN_SECONDS = 600.0  # far more than a run takes, for busy machines; ended processes are noticed
_REPEATS = 3
_AWAY_SECONDS = 60.0  # a restarted api-server answers within this time


@dataclass(frozen=True)
class TaskState:
    """One task instance as Airflow shows it."""

    task_id: str
    map_index: int
    state: str | None
    label: str | None  # the rendered map index, such as ``releases``
    try_number: int
    seconds: float | None

    @property
    def name(self) -> str:
        """``download [releases]``, or ``download [3]`` while it has no label."""
        if self.map_index < 0:
            return self.task_id
        return f"{self.task_id} [{self.label or self.map_index}]"


class AirflowClient:
    """Calls one Airflow as one of its users.

    :param url: such as ``http://127.0.0.1:8080``.
    :param on_poll: called at every poll while the client waits; an exception that it raises ends
        the wait.
    """

    def __init__(
        self, url: str, username: str, password: str, *, on_poll: Callable[[], None] | None = None
    ) -> None:
        self.url = url
        self._on_poll = on_poll or (lambda: None)
        self._login = {"username": username, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy for the local machine

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call ``/api/v2/<path>`` and read its JSON.

        :raises AirflowRefused: with what Airflow says, for any answer of 400 and above.
        """
        answer = self._authorized(method, f"/api/v2/{path}", **options)
        for _ in range(_REPEATS):
            # Such as a deadlock with the scheduler, which Airflow does not retry.
            if answer.status_code < 500 or method == "POST":
                break
            answer = self._authorized(method, f"/api/v2/{path}", **options)
        if answer.status_code >= 400:
            raise AirflowRefused(method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def _authorized(self, method: str, path: str, **options: Any) -> requests.Response:
        if "Authorization" in self._session.headers:
            answer = self._request(method, path, **options)
            if answer.status_code != 401:  # the token has not expired
                return answer
        login = self._request("POST", "/auth/token", json=self._login)
        if login.status_code >= 400:
            raise AirflowRefused("POST", "/auth/token", login.status_code, login.text)
        self._session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        return self._request(method, path, **options)

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; a GET is repeated while the server does not answer."""
        deadline = time.monotonic() + _AWAY_SECONDS
        while True:
            try:
                return self._session.request(method, self.url + path, timeout=60, **options)
            except requests.RequestException as error:
                self._on_poll()
                if method != "GET" or time.monotonic() > deadline:
                    raise LocalAirflowFailed(
                        f"Airflow at {self.url} does not answer {method} {path}: {error}"
                    ) from error
                time.sleep(0.5)

    def unhealthy(self) -> list[str]:
        """The parts of Airflow that do not answer yet."""
        try:
            answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=60)
            parts = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError):
            parts = {}
        wanted = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return [part for part in wanted if (parts.get(part) or {}).get("status") != "healthy"] or (
            [] if parts else ["api-server"]
        )

    def has_dag(self, dag_id: str) -> bool:
        try:
            self.call("GET", f"dags/{dag_id}")
        except AirflowRefused as refused:
            if refused.status != 404:
                raise
            return False
        return True

    def import_errors(self) -> list[str]:
        """The import errors of the DAG files."""
        errors = self.call("GET", "importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def pause(self, dag_id: str, paused: bool) -> None:
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": paused})

    def trigger(
        self,
        dag_id: str,
        *,
        partition_key: str | None = None,
        conf: dict[str, Any] | None = None,
        run_id: str | None = None,
    ) -> str:
        """Start a run.

        :param run_id: default: generated by Airflow.
        :returns: its run id.
        """
        body = {"logical_date": None, "partition_key": partition_key, "conf": conf or {}}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self.call("POST", f"dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str, state: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The runs of a DAG, in the given states or in any."""
        found = self.call(
            "GET", f"dags/{dag_id}/dagRuns", params={"state": list(state), "limit": 100}
        )
        return list(found["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", _run(dag_id, run_id))
        return found

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        self.call("PATCH", _run(dag_id, run_id), json={"state": state})

    def task_states(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Every task instance of a run."""
        found: list[TaskState] = []
        while True:
            page = self.call(
                "GET",
                f"{_run(dag_id, run_id)}/taskInstances",
                params={"limit": 100, "offset": len(found)},
            )
            found.extend(
                TaskState(
                    task_id=item["task_id"],
                    map_index=item["map_index"],
                    state=item["state"],
                    label=item["rendered_map_index"],
                    try_number=item["try_number"],
                    seconds=item["duration"],
                )
                for item in page["task_instances"]
            )
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def wait(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout: float = RUN_SECONDS,
        every: float = 0.5,
        on_poll: Callable[[], None] | None = None,
    ) -> str:
        """Wait until a run has ended.

        :param on_poll: called at every poll.
        :returns: ``success`` or ``failed``.
        :raises TimeoutError: with the tasks that are not done.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._on_poll()
            state = str(self.run(dag_id, run_id)["state"])
            if on_poll is not None:
                on_poll()
            if state in FINAL:
                return state
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{run_id} is {state} after {timeout:.0f} s: {self._not_done(dag_id, run_id)}"
                )
            time.sleep(every)

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Sequence[str],
        *,
        map_index: int = -1,
        timeout: float = RUN_SECONDS,
        every: float = 0.3,
    ) -> TaskState:
        """Wait until a task instance is in one of the given states.

        :raises TimeoutError: with the states of all tasks that are not done; at once when the run
            has ended.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._on_poll()
            run = str(self.run(dag_id, run_id)["state"])
            found = {
                (task.task_id, task.map_index): task for task in self.task_states(dag_id, run_id)
            }
            task = found.get((task_id, map_index))
            if task is not None and task.state in states:
                return task
            if run in FINAL or time.monotonic() > deadline:
                when = f"after {timeout:.0f} s" if run not in FINAL else f"and the run {run}"
                raise TimeoutError(
                    f"{task_id} of {run_id} is {task.state if task else 'not there'}, not"
                    f" {list(states)}, {when}: {self._not_done(dag_id, run_id)}"
                )
            time.sleep(every)

    def _not_done(self, dag_id: str, run_id: str) -> list[str]:
        states = self.task_states(dag_id, run_id)
        return [f"{task.name}: {task.state}" for task in states if task.state != "success"]

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str | tuple[str, int]] = (),
        *,
        only_failed: bool = True,
        downstream: bool = True,
    ) -> list[str]:
        """Clear tasks of a run so that they run again.

        :param task_ids: all if empty; ``(task id, map index)`` for one instance of a mapped task.
        :returns: the ids of the tasks that were cleared.
        """
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": only_failed,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        if task_ids:
            body["task_ids"] = [
                list(each) if isinstance(each, tuple) else each for each in task_ids
            ]
        found = self.call("POST", f"dags/{dag_id}/clearTaskInstances", json=body)
        return [str(item["task_id"]) for item in found["task_instances"]]

    def set_task_state(
        self, dag_id: str, run_id: str, task_id: str, state: str, *, map_index: int = -1
    ) -> None:
        """Mark a task instance ``success``, ``failed`` or ``skipped`` by hand."""
        index = "" if map_index < 0 else f"/{map_index}"
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}{index}"
        self.call("PATCH", path, json={"new_state": state})

    def logs(
        self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1
    ) -> str:
        """The log of an attempt, one event per line."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        found = self.call("GET", path, params={"map_index": map_index, "full_content": True})
        return "\n".join(
            item
            if isinstance(item, str)
            else str(item.get("event", item))
            + "".join(f" {key}={value}" for key, value in item.items() if key == "error_detail")
            for item in found["content"]
        )

    def xcom(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        map_index: int = -1,
        key: str = "return_value",
    ) -> Any:
        """An XCom of a task."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"map_index": map_index, "deserialize": False})[
            "value"
        ]


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"
