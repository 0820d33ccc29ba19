"""``python -m benchmarks.shards``: the cost of shards for a load and for an export.

Each round loads a month's releases with the command ``load`` and writes them with ``export``, in 1,
2, 4 and 8 shards. The commands process one shard after the other, so that the time of each is that
of a separate worker; together they take more processor time, since each reads the whole file.
Reading alone is also measured, in a separate process.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import bench, command
from benchmarks.process import RESULTS, Measured, StepFailed, log, run, step
from benchmarks.results import machine
from benchmarks.server import Server, started
from discogs.settings import Settings

SHARDS = (1, 2, 4, 8)
_MONTH = bench.FIRST_MONTH
_COMMAND = [sys.executable, "-m", "discogs"]


def measure(plan: bench.Plan) -> dict[str, Any]:
    """Run every step as often as planned, in turn, so that noise affects all of them alike.

    :raises StepFailed: when a step fails.
    """
    dumps = bench.dumps(plan, log)
    taken: dict[str, list[dict[str, float]]] = {}
    with started(plan.parent) as (server, files):
        folder = files / "releases"
        folder.mkdir()
        for path in (bench.dump_file(dumps, _MONTH), *dumps.glob("*_CHECKSUM.txt")):
            (folder / path.name).symlink_to(path)
        for number in range(plan.runs):
            log(f"run {number + 1} of {plan.runs}")
            measured, answer = step("reading", folder=folder, month=_MONTH)
            taken.setdefault("reading", []).append({**_figures(measured), **answer})
            for shards in SHARDS:
                taken.setdefault(f"load {shards}", []).append(_load(server, folder, files, shards))
                taken.setdefault(f"export {shards}", []).append(_export(folder, files, shards))
        about = server.about()
    settings = Settings.from_environment()
    return {
        "releases": plan.releases,
        "excerpts": plan.samples is not None,
        "runs": plan.runs,
        "measured_at": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "postgresql": about,
        "settings": {"engine": settings.engine, "workers": settings.workers},
        "packed_bytes": bench.dump_file(dumps, _MONTH).stat().st_size,
        "steps": {
            name: {figure: median(run[figure] for run in runs) for figure in runs[0]}
            for name, runs in taken.items()
        },
        "all": taken,
    }


def _figures(measured: Measured) -> dict[str, float]:
    return {
        "seconds": measured.seconds,
        "cpu_seconds": measured.cpu_seconds,
        "peak_bytes": measured.peak_bytes,
    }


def _load(server: Server, folder: Path, files: Path, shards: int) -> dict[str, float]:
    """Run the command ``load`` with its own database."""
    dsn, report = server.create("shards"), files / "report.json"
    server.settle()
    busy = server.cpu_seconds()
    given = ["--month", str(_MONTH), "--dsn", dsn, "--shards", str(shards)]
    measured = run([*_COMMAND, "load", str(folder), *given, "--report", str(report)])
    server.idle()
    busy = server.cpu_seconds() - busy
    server.drop("shards")
    steps = json.loads(report.read_text())["entities"]["releases"]["steps"]
    seconds = [each["seconds"] for each in steps if each["step"] == "stage"]
    if len(seconds) != shards:
        raise StepFailed(f"The load has staged {len(seconds)} shards in place of {shards}.")
    return {
        **_figures(measured),
        "server_cpu_seconds": busy,
        "stage_seconds": sum(seconds),
        "longest_shard_seconds": max(seconds),
    }


def _export(folder: Path, files: Path, shards: int) -> dict[str, float]:
    """Run the command ``export`` with an empty folder."""
    out = files / "parquet"
    given = ["--month", str(_MONTH), "--out", str(out), "--shards", str(shards)]
    measured = run([*_COMMAND, "export", str(folder), *given])
    written = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    shutil.rmtree(out)
    return {**_figures(measured), "bytes": written}


def load_table(report: dict[str, Any]) -> str:
    """What a load takes with each number of shards, as Markdown."""
    one = report["steps"]["load 1"]
    rows = [
        "| shards | processor time of all shards | compared with one shard | time of the command,"
        " one shard after the other | longest shard | estimate for one read, divided |",
        "|---|---|---|---|---|---|",
    ]
    for shards in SHARDS:
        each = report["steps"][f"load {shards}"]
        more = f"+{each['cpu_seconds'] / one['cpu_seconds'] - 1:.0%}" if shards > 1 else ""
        rows.append(
            f"| {shards} | {each['cpu_seconds']:.1f} s | {more} | {each['seconds']:.1f} s"
            f" | {each['longest_shard_seconds']:.1f} s | {one['stage_seconds'] / shards:.1f} s |"
        )
    return "\n".join(rows)


def divided(report: dict[str, Any]) -> str:
    """What a load would gain that reads the file once and divides it, as a paragraph."""
    steps, most = report["steps"], SHARDS[-1]
    one, many = steps["load 1"], steps[f"load {most}"]
    rest = one["seconds"] - one["stage_seconds"]
    gains = [
        (steps[f"load {shards}"]["longest_shard_seconds"] + rest)
        / (one["stage_seconds"] / shards + rest)
        for shards in SHARDS[1:]
    ]
    listed = ", ".join(f"{gain:.1f}" for gain in gains)
    extra = (many["cpu_seconds"] - one["cpu_seconds"]) / (most - 1)
    return (
        f"Reading alone takes {steps['reading']['cpu_seconds']:.1f} s of processor time, and each"
        f" further shard adds {extra:.1f} s.\nThe last column is the staging time of one shard"
        " divided by the number of shards, a lower bound\nfor a load that reads the file once."
        f" Start-up and the steps after staging take {rest:.1f} s for any\nnumber of shards. With"
        f" {', '.join(map(str, SHARDS[1:]))} workers, such a load would therefore be at most\n"
        f"{listed} times as fast as with shards."
    )


def export_table(report: dict[str, Any]) -> str:
    """What an export takes with each number of shards, as Markdown."""
    millions = report["releases"] / 1e6
    rows = [
        "| shards | releases/s | processor time per million releases | peak memory | Parquet |",
        "|---|---|---|---|---|",
    ]
    for shards in SHARDS:
        each = report["steps"][f"export {shards}"]
        rows.append(
            f"| {shards} | {report['releases'] / each['seconds']:,.0f}"
            f" | {each['cpu_seconds'] / millions:.0f} s | {each['peak_bytes'] / 1e6:.0f} MB"
            f" | {each['bytes'] / 1e6:.0f} MB |"
        )
    return "\n".join(rows)


def about(report: dict[str, Any]) -> str:
    """What was measured on what, as the start of a sentence."""
    kind = "real" if report["excerpts"] else "synthetic"
    runs = f"medians of {report['runs']} runs" if report["runs"] > 1 else "one run"
    return (
        f"{report['releases']:,} {kind} releases"
        f" ({report['packed_bytes'] / 1e6:.0f} MB compressed),"
        f" {report['machine']['processors']} processors,"
        f" `DISCOGS_WORKERS={report['settings']['workers']}`, {runs}"
    )


def load_section() -> str:
    """The load, as docs/scaling.md has it."""
    return section(_result())


def export_section() -> str:
    """The export, as docs/parquet.md has it."""
    return export_table(_result())


def _result() -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / "shards-40000.json").read_text())
    return result


def section(report: dict[str, Any]) -> str:
    """What was measured of a load, and what follows."""
    return f"{about(report)}:\n\n{load_table(report)}\n\n{divided(report)}"


def main(arguments: list[str] | None = None) -> int:
    """:returns: the exit code: 0, or 1 when a step failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shards",
        description="Measure a load and an export of releases in 1, 2, 4 and 8 shards.",
    )
    parser.add_argument("--releases", type=int, default=40_000, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="K", help="runs of each step")
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FOLDER",
        help="repeat the releases of the largest real excerpt below this folder",
    )
    command.add_folders(parser)
    args = parser.parse_args(arguments)
    plan = bench.Plan(args.releases, args.runs, data=args.data, samples=args.samples)

    def work() -> None:
        report = measure(plan)
        command.write(args.results, plan.name.replace("load", "shards"), report)
        print(f"{section(report)}\n\n{export_table(report)}")

    return command.exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
