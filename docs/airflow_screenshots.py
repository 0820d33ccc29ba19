"""Take screenshots of the DAG in the UI of the Airflow that `make demo` has started.

``make screenshots AIRFLOW=1``. They are written to ``screenshots`` in the folder of the local
Airflow. One run is made to fail. Needs Chromium.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from demo.client import AirflowClient
from demo.environment import USER
from demo.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAG_ID = "discogs_monthly"
WIDE, NARROW = (1440, 900), (900, 800)
#: Tasks whose logs are shown, with the map index of mapped ones.
LOGS = (
    ("resolve_month", None),
    ("wait_for_dump", None),
    ("fetch_checksums", None),
    ("download", 0),
    ("stage.releases", 0),
    ("merge.releases", None),
    ("complete", None),
)
_PAUSE = 4000  # milliseconds until a page of Airflow is drawn


def main() -> None:
    from playwright.sync_api import sync_playwright

    from docs.page import CHROMIUM

    if not Path(CHROMIUM).exists():
        sys.exit(f"{CHROMIUM} is not there: apt-get install chromium")
    home = Home.from_environment()
    state = home.folder / "stack.json"
    if not state.exists():
        sys.exit("No local Airflow runs: start one with make demo.")
    url = f"http://127.0.0.1:{json.loads(state.read_text())['port']}"
    password = home.secrets()["password"]
    client = AirflowClient(url, USER, password)
    loaded = max(run["dag_run_id"] for run in client.runs(DAG_ID, ["success"]))
    failed = client.trigger(DAG_ID, conf={"year_month": "1850-01"}, run_id="demo__1850-01__failed")
    client.wait(DAG_ID, failed)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        images = home.folder / "screenshots"
        images.mkdir(exist_ok=True)
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        page.goto(url)
        page.fill("input[name=username]", USER)
        page.fill("input[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_timeout(_PAUSE)
        dag = f"{url}/dags/{DAG_ID}"
        page.goto(dag)
        _save(page, images / "grid.png")
        page.click('button[aria-label^="Show Graph"]')
        page.click('button[aria-label="Expand all task groups"]')
        page.click('button[aria-label="Collapse Details Panel"]')
        _save(page, images / "graph.png")
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        _save(page, images / "graph-narrow.png")
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        page.goto(f"{dag}/runs")
        _save(page, images / "runs.png")
        for task, index in LOGS:
            mapped = "" if index is None else f"/mapped/{index}"
            page.goto(f"{dag}/runs/{quote(loaded, safe='')}/tasks/{task}{mapped}")
            _save(page, images / f"log-{task}.png")
        page.goto(f"{dag}/runs/{failed}/tasks/resolve_month")
        _save(page, images / "failed.png")
        page.goto(dag)
        page.get_by_role("button", name="Trigger").first.click()
        _save(page, images / "form.png")
        browser.close()


def _save(page: Page, path: Path) -> None:
    page.wait_for_timeout(_PAUSE)
    page.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main()
