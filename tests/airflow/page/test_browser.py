"""The page in a real browser, below a path, without the rest of Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.page import CHROMIUM, Served
from tests.airflow.page.conftest import FIRST, SECOND, THIRD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from discogs.database.connection import Connect

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is not there: apt-get install chromium"
    ),
]
HTML = '<img src="x" onerror="document.title = \'parsed\'"><b>bold</b>'


@pytest.fixture
def served(database: str, target: dict[str, object], client: object) -> Iterator[Served]:
    from docs.page import served

    with served(database, "/some/path") as page:
        yield page


@pytest.fixture
def opened(served: Served, browser: Browser) -> Iterator[Page]:
    """The opened page; fails at the end if the browser reported errors."""
    with served.context(browser) as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(served.url)
        page.wait_for_selector("text=History")
        yield page
        # Some tests ask for a record that does not exist.
        assert [text for text in said if "404 (Not Found)" not in text] == []


def execute(connect: Connect, statement: str, *values: object) -> None:
    with connect() as conn:
        conn.execute(statement.encode(), values)
        conn.commit()


def test_a_month_has_a_timeline_changes_and_a_report(opened: Page, served: Served) -> None:
    assert opened.inner_text("main header p").startswith(f"loaded through {SECOND}")
    assert opened.locator(".chart canvas").count() == 5
    opened.click(f"[aria-label='Entities of {SECOND}']")
    assert opened.locator("tr.below").count() == 4

    opened.click(f"td >> text={SECOND}")
    opened.wait_for_selector("text=Timeline")
    assert opened.locator(".timeline li").count() == 12
    assert opened.locator("text=✓ as published").count() == 4
    opened.select_option("label:has-text('Change') select", "removed")
    opened.wait_for_selector(".tag.removed")
    opened.locator(".tag:not(.removed)").first.wait_for(state="detached")
    with opened.expect_download() as download:
        opened.click("text=Report (JSON)")
    assert download.value.suggested_filename == f"discogs-{SECOND}.json"

    opened.click("td a:text-is('history')")
    opened.wait_for_selector("ol.history")
    assert "no longer in the dump" in opened.inner_text("ol.history")
    opened.go_back()
    opened.wait_for_selector("text=Timeline")


def test_a_record_is_found_by_title_and_by_id(opened: Page) -> None:
    opened.click("text=Find a record")
    opened.fill("input[type=search]", "the")
    opened.keyboard.press("Enter")
    opened.wait_for_selector("text=alphabetical order")
    opened.click("td a >> nth=0")
    opened.wait_for_selector("ol.history")
    opened.fill("input[type=search]", "2000000000")
    opened.keyboard.press("Enter")
    opened.wait_for_selector("text=No loaded dump has a release 2000000000.")


def test_titles_and_errors_are_shown_as_text(opened: Page, connect: Connect) -> None:
    execute(connect, "UPDATE releases SET title = %s", HTML)
    execute(
        connect,
        "INSERT INTO rejected_records (year_month, entity, byte_offset, record_id, reason, xml)"
        " VALUES (%s, 'labels', 0, 1, %s, %s)",
        SECOND,
        HTML,
        HTML,
    )
    execute(
        connect,
        "UPDATE discogs_data_processing SET status = 'failed', error_message = %s,"
        " updated_at = clock_timestamp() WHERE year_month = %s",
        f"merge.labels: {HTML} " + "x" * 200 + ". It says more.",
        SECOND,
    )
    opened.reload()
    opened.wait_for_selector("tr.below summary")
    opened.goto(f"{opened.url.partition('#')[0]}#/months/{SECOND}?entity=releases")
    opened.wait_for_selector("text=Rejected records (1)")
    opened.click("text=characters")

    text = opened.inner_text("main")
    assert text.count(HTML) > 4
    assert opened.locator("main img, main b").count() == 0
    assert opened.title() == "Discogs"


def test_a_progress_bar_is_updated_and_unfolded_parts_stay_open(
    opened: Page, connect: Connect
) -> None:
    execute(
        connect,
        "INSERT INTO discogs_data_processing (id, year_month, status, started_at)"
        " VALUES (gen_random_uuid(), %s, 'processing', now())",
        THIRD,
    )
    execute(
        connect,
        "INSERT INTO load_steps SELECT %s, e, 'stage', 0, 1, 10, 100, 'bytes', 5, 'x', now(),"
        " now(), CASE e WHEN 'labels' THEN now() END FROM unnest(ARRAY['labels', 'releases']) e",
        THIRD,
    )
    opened.reload()
    bar = opened.locator("[role=progressbar][aria-label='stage releases']")
    bar.wait_for()
    assert bar.get_attribute("aria-valuenow") == "10"
    opened.click("text=1 step done")
    handle = bar.element_handle()
    execute(connect, "UPDATE load_steps SET done = 70, updated_at = now()")
    opened.wait_for_function("bar => bar.getAttribute('aria-valuenow') === '70'", arg=handle)
    # The same element as before: nothing flickers, nothing is folded.
    assert opened.locator("details[open]").count() == 1


def test_an_export_is_a_step_of_its_month_while_it_runs_and_when_it_has_failed(
    opened: Page, connect: Connect
) -> None:
    execute(
        connect,
        "INSERT INTO discogs_data_processing (id, year_month, status, started_at, dag_id, run_id)"
        " VALUES (gen_random_uuid(), %s, 'processing', now(), 'discogs_monthly', 'a run')",
        THIRD,
    )
    execute(
        connect,
        "INSERT INTO load_steps SELECT %s, 'releases', s, 0, 1, 10, 100, 'bytes', 5, NULL, now(),"
        " now(), CASE s WHEN 'merge' THEN now() END FROM unnest(ARRAY['merge', 'export']) s",
        THIRD,
    )
    opened.reload()
    opened.wait_for_selector("[role=progressbar][aria-label='export releases']")
    assert opened.inner_text(".stepper [aria-current=step]") == "Export"
    assert opened.locator(".stepper .done").all_inner_texts()[-1] == "Merge"

    execute(
        connect,
        "UPDATE discogs_data_processing SET status = 'failed', updated_at = clock_timestamp(),"
        " error_message = 'export.write [releases]: no room' WHERE year_month = %s",
        THIRD,
    )
    opened.reload()
    opened.wait_for_selector("text=Log of export.write")
    opened.click(f".line >> text={THIRD}")
    opened.wait_for_selector(".timeline li >> text=export releases")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_theme(
    served: Served, browser: Browser, theme: str
) -> None:
    with served.context(browser, theme=theme, width=390) as context:
        page = context.new_page()
        for address in ("", f"#/months/{FIRST}", "#/records/releases/1"):
            page.goto(served.url + address)
            page.wait_for_selector("main h1")
            assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.locator(f"html[data-theme={theme}]").count() == 1
        # Airflow's own choice counts more than the system's.
        page.evaluate("localStorage.setItem('theme', 'dark')")
        page.reload()
        assert page.locator("html[data-theme=dark]").count() == 1


def test_it_is_used_by_keyboard(opened: Page) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = []
    for _ in range(12):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.textContent.trim()"))
    assert {"Find a record", "Load a month…", "Open the DAG", SECOND[2:]} <= set(reached)
    opened.focus(f".cell >> text={SECOND[2:]}")
    opened.keyboard.press("Enter")
    opened.wait_for_selector("text=Timeline")


def test_it_says_what_to_do_when_there_is_nothing_to_show(
    served: Served, browser: Browser, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served.context(browser) as context:
        page = context.new_page()
        execute(connect, "TRUNCATE discogs_data_processing CASCADE")
        page.goto(served.url)
        page.wait_for_selector("text=Nothing is loaded yet")
        execute(connect, "DROP SCHEMA discogs CASCADE")
        page.reload()
        page.wait_for_selector("text=There are no tables yet")
        monkeypatch.setenv("AIRFLOW_CONN_DISCOGS_POSTGRES", "postgres://127.0.0.1:1/none")
        page.reload()
        page.wait_for_selector("text=The database does not answer")
    with browser.new_context() as nobody:
        page = nobody.new_page()
        answer = page.goto(served.url)
        assert answer is not None
        assert answer.status == 401
        assert page.get_attribute("a", "href") == "../"


def test_the_charts_library_is_shipped_with_its_licence() -> None:
    from discogs.airflow.page.app import STATIC

    assert "MIT License" in (STATIC / "chart-LICENSE.md").read_text()
    for path in STATIC.glob("*.*"):
        if "chart" not in path.name and path.suffix in {".js", ".html", ".css"}:
            text = path.read_text()
            assert "//cdn" not in text
            assert "innerHTML" not in text
