"""The page inside a running Airflow, from the login to a failed run's own page."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from demo.environment import USER
from discogs.database.migrations import migrate
from discogs.load.folder import load_folder
from discogs.sample.generator import write_months
from discogs.schema.entities import Month
from discogs.settings import Settings
from discogs.tracking.postgres import PostgresMonthRepository
from docs.page import CHROMIUM
from tests import faults
from tests.airflow.running import DAG_ID, RunningAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is not there: apt-get install chromium"
    ),
]
LOADED = Month(2019, 1)
FAILED, RUNNING = LOADED.plus(3), LOADED.plus(4)
WAITED_FOR = Month.of(dt.datetime.now(dt.timezone.utc).date())
SECONDS = 60_000  # for the busiest machine, in milliseconds


@pytest.fixture
def months(airflow_stack: RunningAirflow) -> dict[Month, str]:
    """Three loaded months, and the runs of a failed, a running and a waiting month."""
    airflow = airflow_stack
    airflow.start_afresh()
    migrate(airflow.connect, "discogs")
    write_months(airflow.dumps, LOADED, months=5, releases=150, seed=3)
    settings = replace(Settings(), max_shrink=0.5, workers=2)
    for number in range(3):
        month = LOADED.plus(number)
        load_folder(airflow.connect, airflow.dumps, month, settings, run_id=str(month))
    airflow.mirror.add(faults.status(400).on(f"download=.*{FAILED.first_day:%Y%m%d}").repeated(9))
    failed, state = airflow.load(str(FAILED))
    assert state == "failed"
    slow = faults.slow(3_000, chunk=512).on(f"download=.*{RUNNING.first_day:%Y%m%d}_releases")
    airflow.mirror.add(slow.repeated(9))
    running = airflow.client.trigger(DAG_ID, partition_key=str(RUNNING), conf={})
    waiting = airflow.client.trigger(DAG_ID, partition_key=str(WAITED_FOR), conf={})
    repository = PostgresMonthRepository(airflow.connect)

    def waits() -> bool:
        row = repository.get(WAITED_FOR)
        return row is not None and row.waiting is not None

    airflow.until("it waits", waits)
    return {FAILED: failed, RUNNING: running, WAITED_FOR: waiting}


def log_in(page: Page, airflow: RunningAirflow) -> None:
    page.goto(airflow.stack.url)
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", airflow.stack.home.secrets()["password"])
    page.keyboard.press("Enter")


def test_a_failure_is_followed_from_the_menu_to_its_run(
    airflow_stack: RunningAirflow, browser: Browser, months: dict[Month, str]
) -> None:
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        log_in(page, airflow_stack)
        page.click("a:has-text('Discogs')")
        frame = page.frame_locator("iframe[title=Discogs]")

        # A bar moves by itself.
        bar = frame.locator("[role=progressbar][aria-label='download releases']")
        bar.wait_for()
        before = int(bar.get_attribute("aria-valuenow") or 0)
        airflow_stack.until(
            "the bar moves", lambda: int(bar.get_attribute("aria-valuenow") or 0) > before
        )
        for month, status in ((RUNNING, "downloading"), (WAITED_FOR, "waiting")):
            frame.locator(f"tr:has-text('{month}') >> text={status}").first.wait_for()
        assert "Next check" in frame.locator("main").inner_text()

        # A failed month: its error, and the run.
        frame.locator(f"td >> text={FAILED}").click()
        frame.locator("section[aria-label=Error]").wait_for()
        error = frame.locator("section[aria-label=Error]").inner_text()
        assert "download" in error
        assert "400" in error
        frame.locator("a", has_text="Run").first.click()
        page.wait_for_url(f"**/dags/{DAG_ID}/runs/*")
        page.wait_for_selector(f"text={months[FAILED]}")

        # The run's own tab shows its month.
        page.click("a:has-text('Discogs month')")
        page.frame_locator("iframe").locator("h1", has_text=str(FAILED)).wait_for()

        # Each DAG that loads dumps has its own target: the second's is not set up.
        api = f"{airflow_stack.stack.url}/discogs/api/months"
        assert {DAG_ID, "discogs_second"} <= set(page.request.get(api).json()["dags"])
        second = page.request.get(f"{api}?dag_id=discogs_second").json()
        assert second["reason"] in ("no_connection", "not_migrated")

        # The trigger form with the month filled in.
        page.goto(f"{airflow_stack.stack.url}/plugin/discogs")
        frame = page.frame_locator("iframe[title=Discogs]")
        frame.locator(f"td >> text={FAILED}").click()
        frame.locator("a", has_text="Load it…").click()
        month = "document.getElementById('element_year_month')?.value"
        page.wait_for_function(f"{month} === '{FAILED}'")
        assert len(airflow_stack.client.runs(DAG_ID, ("queued", "running"))) == 2


def test_the_page_answers_nobody_without_a_login(airflow_stack: RunningAirflow) -> None:
    for path in ("", "openapi.json", "static/main.js", "api/months", "api/progress", "nowhere"):
        url = f"{airflow_stack.stack.url}/discogs/{path}"
        assert requests.get(url, timeout=30).status_code == 401
    document = airflow_stack.client.call("GET", "plugins")
    (plugin,) = [each for each in document["plugins"] if each["name"] == "discogs"]
    assert {view["destination"] for view in plugin["external_views"]} == {"nav", "dag", "dag_run"}
