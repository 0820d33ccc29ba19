"""Prints the figures on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.results import title

_MEGA = 1_000_000
_WIDTH = 150
_RATIOS = {
    "first_vs_peer": "first load: times as fast as the peer",
    "first_vs_peer_tuned": "first load: times as fast as the peer, tuned",
    "first_vs_floor": "first load: times as long as the floor",
    "update_vs_first": "update: times as fast as the first load",
    "update_vs_peer": "update: times as fast as the peer's load of the whole month",
    "update_vs_peer_tuned": "update: times as fast as the peer's load of the whole month, tuned",
}


def show(summary: dict[str, Any]) -> None:
    """Print one measurement."""
    console = _console()
    releases, runs = summary["releases"], summary["runs"]
    shape = "real-shaped " if summary["excerpts"] else ""
    table = Table(
        title=f"{releases:,} {shape}releases, median of {runs} runs (lowest to highest)",
        title_justify="left",
    )
    table.add_column("step", no_wrap=True)
    for name in ("seconds", "releases/s", "rows/s", "client CPU s", "server CPU s"):
        table.add_column(name, justify="right")
    for name in ("peak MB", "start s", "others' CPU s"):
        table.add_column(name, justify="right")
    for name, step in summary["steps"].items():
        middle, low, high = step["median"], step["min"], step["max"]
        start = middle.get("startup_seconds")
        table.add_row(
            title(name),
            f"{middle['seconds']:.2f} ({low['seconds']:.2f} to {high['seconds']:.2f})",
            f"{step['releases_per_second']:,.0f}",
            f"{step['rows_per_second']:,.0f}",
            f"{middle['client_cpu_seconds']:.2f}",
            f"{middle['server_cpu_seconds']:.2f}",
            f"{middle['peak_bytes'] / _MEGA:,.0f}",
            "" if start is None else f"{start:.2f}",
            f"{middle['others_cpu_seconds']:.2f}",
        )
    console.print(table)
    console.print(_content(summary))
    console.print(_ratios(summary))
    console.print(_about(summary))


def show_growth(report: dict[str, Any]) -> None:
    """Print how the figures grow with the size."""
    table = Table(title="Growth", title_justify="left")
    for name in ("releases", "runs", "first load s", "releases/s", "peak MB"):
        table.add_column(name, justify="right")
    for name in ("update s", "releases/s", "peak MB", "update: times as fast"):
        table.add_column(name, justify="right")
    for point in report["points"]:
        values = []
        for step in (point["steps"]["first"], point["steps"]["update"]):
            values += [
                f"{step['median']['seconds']:.2f}",
                f"{step['releases_per_second']:,.0f}",
                f"{step['median']['peak_bytes'] / _MEGA:,.0f}",
            ]
        ratio = point["ratios"]["update_vs_first"]["median"]
        table.add_row(f"{point['releases']:,}", str(point["runs"]), *values, f"{ratio:.1f}")
    _console().print(table)


def _content(summary: dict[str, Any]) -> Table:
    table = Table(title="Contents of the database", title_justify="left")
    table.add_column("step")
    for name in ("tables", "rows", "primary keys", "foreign keys", "indexes", "MB"):
        table.add_column(name, justify="right")
    for name, content in summary["content"].items():
        numbers = ("tables", "rows", "primary_keys", "foreign_keys", "indexes")
        values = [f"{content[number]:,}" for number in numbers]
        table.add_row(title(name), *values, f"{content['bytes'] / _MEGA:,.0f}")
    return table


def _ratios(summary: dict[str, Any]) -> Table:
    table = Table(title="Ratios", title_justify="left")
    table.add_column("of the medians of the seconds")
    table.add_column("times", justify="right")
    table.add_column("in one run, lowest to highest", justify="right")
    for name, ratio in summary["ratios"].items():
        spread = f"{ratio['min']:.2f} to {ratio['max']:.2f}"
        table.add_row(_RATIOS[name], f"{ratio['median']:.2f}", spread)
    return table


def _about(summary: dict[str, Any]) -> str:
    machine, server = summary["machine"], summary["postgresql"]
    lines = [
        f"{machine['processor']}, {machine['processors']} processors,"
        f" {machine['memory_bytes'] / 2**30:.0f} GiB; Python {machine['python']}.",
        f"PostgreSQL {server['version']} with default settings"
        f" ({_pairs(server['settings'])}) but {_pairs(server['changed_settings'])}.",
        f"Settings: {_pairs(summary['settings'])}.",
        "Seconds are those of the whole process, its start included, and peak memory that of"
        " the client. An update's rows are those that it staged.",
    ]
    if summary["peer"]["best"]:
        options = summary["peer"]["options"]
        said = "; ".join(f"{name}: {' '.join(each) or 'none'}" for name, each in options.items())
        lines.append(
            f"Options of {title('peer')} in addition to --fk: {said}. The ratios are to the better"
            " of the first two, and to the tuned one. It loads the same file into fewer tables and"
            " keys, as counted above; its foreign keys refer to its own releases only."
        )
    return "\n".join(lines)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "nothing"


def _console() -> Console:
    console = Console(highlight=False)
    # At the width of a narrow terminal the table would lose its numbers.
    console.width = max(console.width, _WIDTH)
    return console
