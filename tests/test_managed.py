"""The documentation's template of a pod for the KubernetesExecutor is valid."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from discogs.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


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
