"""The figures as SVG, with a background that follows the reader's light or dark mode."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.results import title

_MEGA = 1_000_000
_STYLE = """
  .ground { fill: #ffffff; stroke: #d0d7de; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
         fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .axis { stroke: #d0d7de; }
  .range { stroke: #1f2328; stroke-width: 1.5; fill: none; }
  .first { fill: #0969da; stroke: #0969da; }
  .update { fill: #1a7f37; stroke: #1a7f37; }
  .floor { fill: #818b98; stroke: #818b98; }
  .peer { fill: #bc4c00; stroke: #bc4c00; }
  .line { fill: none; stroke-width: 2; }
  .limit { stroke: #cf222e; stroke-dasharray: 4 4; }
  text.first, text.update { stroke: none; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .axis { stroke: #3d444d; }
    .range { stroke: #f0f6fc; }
    .first { fill: #4493f8; stroke: #4493f8; }
    .update { fill: #3fb950; stroke: #3fb950; }
    .floor { fill: #656c76; stroke: #656c76; }
    .peer { fill: #db6d28; stroke: #db6d28; }
    .limit { stroke: #f85149; }
    .line { fill: none; }
  }
"""
_WIDTH = 760


def load_chart(summary: dict[str, Any]) -> str:
    """One bar per step: its seconds, the range of its runs, its rate and its memory."""
    names = ("update", "floor", "first", summary["peer"]["tuned"], summary["peer"]["best"])
    shown = [name for name in names if name in summary["steps"]]
    longest = max(summary["steps"][name]["max"]["seconds"] for name in shown)
    left, top, pitch, bar = 24, 76, 58, 20
    room = _WIDTH - 2 * left - 70
    runs = summary["runs"]
    parts = [
        _text(left, 32, f"Loading {summary['releases']:,} releases into PostgreSQL", "title"),
        _text(
            left,
            52,
            f"seconds, {_counted(runs)}; keyed, indexed and foreign keys checked at the end",
            "small",
        ),
    ]
    for number, name in enumerate(shown):
        step = summary["steps"][name]
        kind = name.partition(":")[0]
        seconds = step["median"]["seconds"]
        length = max(1.0, seconds / longest * room)
        y = top + number * pitch
        rate = f"{step['releases_per_second']:,.0f} releases/s"
        memory = f"{step['median']['peak_bytes'] / _MEGA:,.0f} MB"
        parts += [
            _text(left, y + 12, title(name)),
            _text(_WIDTH - left, y + 12, f"{rate}, peak memory {memory}", "small", "end"),
            f'<rect class="{kind}" x="{left}" y="{y + 18}" width="{length:.1f}" height="{bar}"/>',
            _range(left, y + 18 + bar / 2, step, room / longest),
        ]
        end = left + step["max"]["seconds"] / longest * room
        parts.append(_text(max(end, left + length) + 10, y + 33, f"{seconds:.1f} s"))
    return _svg(top + len(shown) * pitch + 12, "Seconds to load releases", parts)


def growth_chart(report: dict[str, Any]) -> str:
    """Seconds (both axes logarithmic) and peak memory (from 0) against the number of releases."""
    points = report["points"]
    sizes = [point["releases"] for point in points]
    series = {
        name: [point["steps"][name]["median"] for point in points] for name in ("first", "update")
    }
    seconds = {name: [each["seconds"] for each in values] for name, values in series.items()}
    memory = {
        name: [each["peak_bytes"] / _MEGA for each in values] for name, values in series.items()
    }
    # Room below the lowest and above the highest point for the labels.
    low = min(min(values) for values in seconds.values()) / 2.5
    high = max(max(values) for values in seconds.values()) * 2
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    decades = [10.0**power for power in powers]
    limit = 512.0
    top = max(limit, *(max(values) for values in memory.values())) * 1.1
    width, height = 290, 200
    parts = [
        _text(24, 32, f"From {sizes[0]:,} to {sizes[-1]:,} releases", "title"),
        '<circle class="first" cx="30" cy="52" r="4"/>',
        _text(40, 56, title("first")),
        '<circle class="update" cx="124" cy="52" r="4"/>',
        _text(134, 56, title("update")),
    ]

    def log(value: float) -> float:
        return (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))

    left = _Panel(70, 92, width, height, sizes)
    parts += left.axes("seconds", [(log(value), f"{value:g}") for value in decades])
    right = _Panel(440, 92, width, height, sizes)
    steps = [float(value) for value in range(0, int(top), 128)]
    parts += right.axes("peak memory, MB", [(value / top, f"{value:g}") for value in steps])
    line = 92 + height * (1 - limit / top)
    parts.append(f'<path class="limit" d="M440 {line:.1f}h{width}"/>')
    for name in series:
        parts += left.line(name, [log(v) for v in seconds[name]], seconds[name], "s")
        parts += right.line(name, [v / top for v in memory[name]], memory[name], "")
    return _svg(92 + height + 48, "Growth with the number of releases", parts)


class _Panel:
    """One diagram; positions on both axes are from 0 to 1."""

    def __init__(self, x: int, y: int, width: int, height: int, sizes: list[int]) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self.sizes = sizes
        first, last = math.log10(sizes[0]), math.log10(sizes[-1])
        span = (last - first) or 1.0
        self.places = [0.1 + 0.8 * (math.log10(size) - first) / span for size in sizes]

    def at(self, across: float, up: float) -> tuple[float, float]:
        return self.x + across * self.width, self.y + (1 - up) * self.height

    def axes(self, name: str, marks: list[tuple[float, str]]) -> list[str]:
        parts = [_text(self.x, self.y - 10, name, "small")]
        for up, label in marks:
            x, y = self.at(0, up)
            parts.append(f'<path class="axis" d="M{x:.1f} {y:.1f}h{self.width}"/>')
            parts.append(_text(x - 8, y + 4, label, "small", "end"))
        for place, size in zip(self.places, self.sizes, strict=True):
            x, y = self.at(place, 0)
            parts.append(_text(x, y + 20, f"{size:,}", "small", "middle"))
        return parts

    def line(self, kind: str, ups: list[float], values: list[float], unit: str) -> list[str]:
        points = [self.at(*place) for place in zip(self.places, ups, strict=True)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts = [f'<polyline class="{kind} line" style="fill:none" points="{joined}"/>']
        for (x, y), value in zip(points, values, strict=True):
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
            label = f"{value:.1f}" if value < 10 else f"{value:,.0f}"
            above = y - 9 if kind == "first" else y + 18
            parts.append(_text(x, above, f"{label} {unit}".strip(), kind, "middle"))
        return parts


def _counted(runs: int) -> str:
    return "one run" if runs == 1 else f"median and range of {runs} runs"


def _range(x: float, y: float, step: dict[str, Any], scale: float) -> str:
    low, high = (x + step[end]["seconds"] * scale for end in ("min", "max"))
    return (
        f'<path class="range" d="M{low:.1f} {y - 4:.1f}v8M{low:.1f} {y:.1f}H{high:.1f}'
        f'M{high:.1f} {y - 4:.1f}v8"/>'
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: int, label: str, parts: list[str]) -> str:
    inner = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img" aria-label="{escape(label)}">\n'
        f"  <style>{_STYLE}</style>\n"
        f'  <rect class="ground" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}"'
        f' rx="6"/>\n  {inner}\n</svg>\n'
    )
