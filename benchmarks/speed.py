"""The tables of docs/speed.md and of the README, from the results in the folder ``results``."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.process import RESULTS
from benchmarks.transfer import table

_LOAD, _SMALL, _GROWTH = "load-200000-excerpts", "load-40000", "growth-1000000"
_STEPS = {
    "first": "first load",
    "floor": "floor: COPY of prepared rows and the same keys",
    "update": "update, 2 % changed",
    "peer: parallel": "discogskit, `--parse-workers 2`",
    "peer: tuned": "discogskit, also `--pg-write-workers 2 --chunk-mb 32`",
}


def summary() -> str:
    """The README's table."""
    load = _result(_LOAD)
    tuned = load["ratios"]["first_vs_peer_tuned"]["median"]
    return (
        f"{load['releases']:,} releases from a real dump,"
        f" {load['machine']['processors']} processors, the median of"
        f" {load['runs']} runs:\n\n{_steps(load)}\n\n"
        f"A first load is {tuned:.1f} times as fast as discogskit with its options tuned, and its"
        " memory does\nnot grow with the dump."
    )


def section() -> str:
    """The tables of docs/speed.md."""
    load, small, growth, transfer = map(_result, (_LOAD, _SMALL, _GROWTH, "transfer"))
    parts = [_about(load), _steps(load), _ratios(load, small), _sizes(growth)]
    return "\n\n".join([*parts, _transfer(transfer)])


def _result(name: str) -> dict[str, Any]:
    return dict(json.loads((RESULTS / f"{name}.json").read_text()))


def _about(load: dict[str, Any]) -> str:
    machine = load["machine"]
    return (
        f"{load['releases']:,} releases from a real dump (an excerpt, repeated with new"
        f" ids),\n{machine['processors']} processors shared by the load and PostgreSQL"
        f" {load['postgresql']['version']} with default settings,\nmedians of {load['runs']} runs."
        " A load starts with the process and the `.gz` file, and ends with tables\nthat have all"
        " keys and indexes:"
    )


def _steps(load: dict[str, Any]) -> str:
    rows = ["| | seconds | releases/s | peak memory |", "|---|---|---|---|"]
    for name, title in _STEPS.items():
        step = load["steps"][name]
        middle = step["median"]
        rows.append(
            f"| {title} | {middle['seconds']:.1f} | {step['releases_per_second']:,.0f}"
            f" | {middle['peak_bytes'] / 1e6:.0f} MB |"
        )
    return "\n".join(rows)


def _ratios(load: dict[str, Any], small: dict[str, Any]) -> str:
    ratios, of_small = (
        {name: each["median"] for name, each in found["ratios"].items()} for found in (load, small)
    )
    cpu = load["steps"]["first"]["median"]
    return (
        f"A first load takes {ratios['first_vs_floor']:.1f} times as long as the floor. It is"
        f" {ratios['first_vs_peer']:.1f} times as fast as\ndiscogskit, or"
        f" {ratios['first_vs_peer_tuned']:.1f} times with discogskit's options tuned; discogskit"
        " fills fewer tables\nwith fewer keys. The load uses"
        f" {cpu['client_cpu_seconds']:.1f} s of processor time, and PostgreSQL"
        f" {cpu['server_cpu_seconds']:.1f} s. With\n{small['releases']:,} synthetic releases, these"
        f" ratios are {of_small['first_vs_floor']:.1f},"
        f" {of_small['first_vs_peer']:.1f} and {of_small['first_vs_peer_tuned']:.1f}."
        "\n\n## By size\n\nSynthetic releases:"
    )


def _sizes(growth: dict[str, Any]) -> str:
    rows = [
        "| releases | first load | peak memory | update | peak memory |",
        "|---|---|---|---|---|",
    ]
    for point in growth["points"]:
        cells = [f"{point['releases']:,}"]
        for name in ("first", "update"):
            middle = point["steps"][name]["median"]
            cells += [f"{middle['seconds']:.1f} s", f"{middle['peak_bytes'] / 1e6:.0f} MB"]
        rows.append("| " + " | ".join(cells) + " |")
    charts = (
        f"![Seconds of each step](../benchmarks/results/{_LOAD}.svg)\n"
        f"![Seconds and memory by size](../benchmarks/results/{_GROWTH}.svg)"
    )
    return "\n".join(rows) + "\n\n" + charts


def _transfer(measured: dict[str, Any]) -> str:
    return (
        "## Download\n\n"
        f"A file of {measured['megabytes'] / 1000:.1f} GB over HTTP/2 and TLS, compared with curl"
        f" on the same server ({measured['server']}, loopback):\n\n{table(measured)}"
    )
