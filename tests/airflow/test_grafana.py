"""The Grafana dashboard against the metrics that the package emits."""

from __future__ import annotations

import json
import re
from pathlib import Path

from discogs.airflow.metrics import METRICS
from discogs.schema.entities import Entity

DASHBOARD = Path(__file__).resolve().parents[2] / "include" / "grafana" / "discogs.json"
# As Prometheus' statsd_exporter names them; a timer is a summary, with a sum and a count.
SUFFIXES = {"timer": ("_sum", "_count"), "counter": ("",), "gauge": ("",)}


def emitted() -> dict[str, str]:
    """Each metric's name in Prometheus, and its kind."""
    names = {}
    for group, kinds in METRICS.items():
        for metric in kinds:
            for entity in Entity if "ENTITY" in group else [None]:
                start = f"airflow.{group.replace('ENTITY', str(entity))}"
                for name in metric.names:
                    for suffix in SUFFIXES[metric.kind]:
                        names[f"{start}.{name}".replace(".", "_") + suffix] = metric.kind
    return names


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    shown = {name for text in expressions() for name in re.findall(r"airflow_\w+", text)}

    assert shown == emitted().keys()


def test_what_only_grows_is_shown_by_its_increase() -> None:
    kinds = emitted()
    for text in expressions():
        for before, name in re.findall(r"(increase\()?(airflow_\w+)", text):
            assert bool(before) is (kinds[name] != "gauge"), text
