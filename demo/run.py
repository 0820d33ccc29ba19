"""``make demo``: loads two sample months through a real scheduler, and prints a report."""

from __future__ import annotations

import contextlib
import datetime as dt
import shlex
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console

from demo import embedded, processes
from demo import stack as local
from demo.client import AirflowClient
from demo.environment import USER, Plan
from demo.errors import LocalAirflowFailed
from demo.home import PROJECT, Home
from demo.progress import RunProgress
from demo.tables import shown, table_sizes
from discogs.database.connection import connector
from discogs.sample.generator import write_months
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.model import Status
from discogs.tracking.postgres import PostgresMonthRepository
from discogs.tracking.report import LOG_WIDTH, MonthReport

FIRST = Month(2026, 9)
MONTHS = 2
RELEASES = 5000
SEED = 1
_RUN_SECONDS = 900.0


def demo(home: Home, port: int, console: Console) -> bool:
    """Start everything and load both months.

    :returns: whether both are ``completed`` in the tracking table.
    :raises LocalAirflowFailed: when Airflow does not start.
    """
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - started:5.1f} s  {text}", highlight=False, markup=False)

    months = [FIRST.plus(number) for number in range(MONTHS)]
    _write_dumps(home, months, say)
    stack = local.start(home, Plan(mode="demo", port=port), say)
    say(f"Airflow is healthy at {stack.url}")
    watch = stack.watch()

    def report_ended() -> None:
        for event in watch.news():
            log = home.logs / f"{event.name}.log"
            say(f"{event.name} has ended ({event.how}) and is restarted: see {log}")

    with contextlib.closing(stack.client(report_ended)) as client:
        _end_left_over_runs(client, say)
        client.pause(local.DAG_ID, False)
        runs = {month: _load(client, month, console) for month in months}
    say(f"both runs have ended; Airflow keeps running at {stack.url}")
    return report(stack, runs, console)


def _write_dumps(home: Home, months: list[Month], say: local.Say) -> None:
    """The months' dumps, generated once; the same seed gives the same bytes."""
    marker = home.dumps / f"{months[0]}-{MONTHS}-{RELEASES}-{SEED}.done"
    if marker.exists():
        return
    say(f"generating the dumps of {' and '.join(map(str, months))}")
    # Written to another folder and renamed, so that the folder is always complete.
    fresh = home.folder / "dumps.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write_months(fresh, months[0], months=MONTHS, releases=RELEASES, seed=SEED)
    (fresh / marker.name).touch()
    shutil.rmtree(home.dumps, ignore_errors=True)
    fresh.rename(home.dumps)


def _end_left_over_runs(client: AirflowClient, say: local.Say) -> None:
    """End the runs of an interrupted demo, which would delay those of this one."""
    for run in client.runs(local.DAG_ID, ["queued", "running"]):
        say(f"ending the run of an interrupted demo: {run['dag_run_id']}")
        client.set_run_state(local.DAG_ID, run["dag_run_id"], "failed")


def _load(client: AirflowClient, month: Month, console: Console) -> str:
    """Load a month and show its progress; returns the run id, however the run ended."""
    now = dt.datetime.now(dt.timezone.utc)
    run_id = client.trigger(
        local.DAG_ID, partition_key=str(month), run_id=f"demo__{month}__{now:%Y-%m-%dT%H-%M-%S}"
    )
    with RunProgress(console, client, local.DAG_ID, str(month)) as progress:
        state = client.wait(
            local.DAG_ID,
            run_id,
            timeout=_RUN_SECONDS,
            on_poll=lambda: progress.update(run_id),
        )
        progress.update(run_id)
    console.print(f"{month}: the run ended as {state}", highlight=False)
    if state == "failed":
        states = client.task_states(local.DAG_ID, run_id)
        names = ", ".join(task.name for task in states if task.state == "failed")
        console.print(f"{month}: failed tasks: {names}", style="red", highlight=False)
    return run_id


def report(stack: local.Stack, runs: dict[Month, str], console: Console) -> bool:
    """Print the months' reports, the tables' sizes, and addresses.

    :param runs: the run that was started for each month.
    :returns: whether all months are ``completed``.
    """
    schema = Settings.from_environment(stack.plan.environment).schema
    connect = connector(stack.dsn, schema, application_name="discogs demo")
    repository = PostgresMonthRepository(connect)
    done = True
    for month, run_id in runs.items():
        record = repository.get(month)
        if record is None:
            console.print(f"{month}: no tracking row", style="red")
            done = False
            continue
        console.print()
        report = MonthReport.of(record, repository.files(month))
        report.print(console.file, width=max(console.width, LOG_WIDTH))
        completed = record.status is Status.COMPLETED
        if completed and record.run_id != run_id:
            console.print(
                f"It was completed before, by {record.run_id}; this run had nothing to do.",
                highlight=False,
            )
        done = done and completed
    console.print()
    console.print(shown(table_sizes(connect, schema)))
    console.print()
    _print_addresses(stack, console)
    stop = f"{_named(stack.home)}make down"
    console.print(f"State:    {stack.home.folder}; {stop} stops it", soft_wrap=True)
    if not done:
        console.print("Not every month is completed.", style="bold red")
    return done


def up(home: Home, port: int, console: Console) -> None:
    """The same Airflow against the real addresses; nothing runs until the DAG is unpaused.

    :raises LocalAirflowFailed: when Airflow does not start.
    """
    plan = Plan(mode="up", port=port, scheduled=True)
    stack = local.start(home, plan, lambda text: console.print(text, highlight=False))
    for event in processes.ended(home.run):
        log = home.logs / f"{event.name}.log"
        console.print(f"{event.name} had ended ({event.how}) and was restarted: see {log}")
    _print_addresses(stack, console)
    console.print(f"The DAG {local.DAG_ID} is paused: unpause it to start.")


def _print_addresses(stack: local.Stack, console: Console) -> None:
    """Addresses, the login, and commands for a shell in the project's folder."""
    psql = embedded.binaries() / "psql"
    python = f"PYTHONPATH=plugins {Path(sys.executable)}"
    for line in (
        f"Airflow:  {stack.url}/dags/{local.DAG_ID}",
        f"Discogs:  {stack.url}/plugin/discogs (its JSON: {stack.url}/discogs/openapi.json)",
        f"Login:    {USER} / {stack.home.secrets()['password']}",
        f"Database: {stack.dsn}",
        f"psql:     {psql} '{stack.dsn}'",
        f"Status:   {python} -m discogs status --dsn '{stack.dsn}'",
        f"Commands: {_named(stack.home)}demo/airflow dags list, and Airflow's other commands",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _named(home: Home) -> str:
    """What a command of a shell needs before it, where the home is not the project's."""
    return (
        "" if home == Home(PROJECT / ".demo") else f"DISCOGS_HOME={shlex.quote(str(home.folder))} "
    )


def down(home: Home, console: Console) -> None:
    """Stop what ``demo`` or ``up`` started.

    :raises LocalAirflowFailed: when a process does not end.
    """
    restarts = Counter(event.name for event in processes.ended(home.run))
    stopped = local.stop(home)
    left = local.left(home)
    if left:
        raise LocalAirflowFailed(f"These processes do not end: {left}.")
    for name, times in restarts.items():
        console.print(f"{name} had ended {times} time(s) unexpectedly: see {home.logs / name}.log")
    console.print(f"stopped: {', '.join(stopped) if stopped else 'nothing was running'}")
