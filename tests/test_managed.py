"""The settings that the documentation names exist, and its pod template is valid."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from discogs.settings import _OTHERS, Settings, variable

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_that_a_page_names_is_one(page: Path) -> None:
    known = {variable(item.name) for item in fields(Settings)} | _OTHERS

    named = set(re.findall(r"\bDISCOGS_[A-Z_]*[A-Z]\b", page.read_text()))

    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|mailto:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_template_of_a_pod_runs_a_task() -> None:
    text = (ROOT / "docs" / "managed.md").read_text()
    block = re.search(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None

    pod = yaml.safe_load(block[1])

    assert (pod["kind"], pod["spec"]["restartPolicy"]) == ("Pod", "Never")
    [container] = pod["spec"]["containers"]
    assert container["name"] == "base"  # the name of the task's container in Airflow
    environment = {item["name"]: item["value"] for item in container["env"]}
    Settings.from_environment(environment)
    assert environment["DISCOGS_WORKERS"] == container["resources"]["limits"]["cpu"]
