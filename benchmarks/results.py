"""The figures of the runs, for the JSON file: medians, ranges, rates and ratios."""

from __future__ import annotations

import datetime as dt
import platform
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks import peer
from benchmarks.bench import Outcome, processors
from discogs.settings import Settings

_TAKEN = (
    "seconds",
    "client_cpu_seconds",
    "server_cpu_seconds",
    "peak_bytes",
    "others_cpu_seconds",
    "startup_seconds",
)
_SETTINGS = ("engine", "shards", "workers", "maintenance_memory")
TITLES = {
    "first": "first load",
    "floor": "floor: COPY and keys alone",
    "update": "update, 2 % changed",
    "peer": f"{peer.NAME} {peer.VERSION}",
}


def title(name: str) -> str:
    """The title of a step; ``peer: defaults`` is a variant."""
    kind, _, variant = name.partition(": ")
    return f"{TITLES[kind]}, {variant}" if variant else TITLES[kind]


def summary(outcome: Outcome) -> dict[str, Any]:
    """The results of a measurement of one size."""
    settings = Settings.from_environment()
    steps = {name: _step(runs) for name, runs in outcome.runs.items()}
    best, tuned = _peers(steps)
    return {
        "releases": outcome.plan.releases,
        "excerpts": outcome.plan.samples is not None,
        "seed": outcome.plan.seed,
        "runs": outcome.plan.runs,
        "measured_at": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "postgresql": outcome.server,
        "settings": {name: getattr(settings, name) for name in _SETTINGS},
        "dump": outcome.dump,
        "steps": steps,
        "peer": {
            "version": peer.VERSION,
            "options": outcome.peer_options,
            "best": best,
            "tuned": tuned,
        },
        "content": outcome.content,
        "ratios": _ratios(outcome, best, tuned),
    }


def _peers(steps: dict[str, Any]) -> tuple[str | None, str | None]:
    """The better of the peer's variants with chunks of its default size, and the tuned one."""
    tuned = f"peer: {peer.TUNED}"
    usual = [name for name in steps if name.startswith("peer") and name != tuned]
    best = min(usual, key=lambda name: _seconds(steps[name])) if usual else None
    return best, tuned if tuned in steps else None


def growth(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """How the first load and the update grow with the size."""
    points = []
    for each in sorted(summaries, key=lambda summary: int(summary["releases"])):
        steps = {name: each["steps"][name] for name in ("first", "update")}
        points.append(
            {
                "releases": each["releases"],
                "runs": each["runs"],
                "dump": each["dump"],
                "steps": steps,
                "ratios": {"update_vs_first": each["ratios"]["update_vs_first"]},
            }
        )
    about = ("seed", "measured_at", "machine", "postgresql", "settings")
    return {**{name: summaries[-1][name] for name in about}, "points": points}


def machine() -> dict[str, Any]:
    """The machine of the measurement."""
    return {
        "processor": _processor(),
        "processors": processors(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _seconds(step: dict[str, Any]) -> float:
    return float(step["median"]["seconds"])


def _step(runs: list[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in _TAKEN if name in runs[0]]
    values = {name: [run[name] for run in runs] for name in names}
    middle = {name: median(each) for name, each in values.items()}
    releases, rows = runs[0]["releases"], runs[0]["rows"]
    return {
        "releases": releases,
        "rows": rows,
        "releases_per_second": releases / middle["seconds"],
        "rows_per_second": rows / middle["seconds"],
        "median": middle,
        "min": {name: min(each) for name, each in values.items()},
        "max": {name: max(each) for name, each in values.items()},
        "runs": runs,
    }


def _ratios(outcome: Outcome, best: str | None, tuned: str | None) -> dict[str, Any]:
    """For each pair of steps, the seconds of the first divided by those of the second."""
    pairs = {
        "first_vs_peer": (best, "first"),
        "first_vs_peer_tuned": (tuned, "first"),
        "first_vs_floor": ("first", "floor"),
        "update_vs_first": ("first", "update"),
        "update_vs_peer": (best, "update"),
        "update_vs_peer_tuned": (tuned, "update"),
    }
    ratios = {}
    for name, (over, under) in pairs.items():
        if over in outcome.runs and under in outcome.runs:
            above = [run["seconds"] for run in outcome.runs[over]]
            below = [run["seconds"] for run in outcome.runs[under]]
            each = [a / b for a, b in zip(above, below, strict=True)]
            ratios[name] = {
                "median": median(above) / median(below),
                "min": min(each),
                "max": max(each),
            }
    return ratios
