"""``python -m benchmarks``: measure, print, and write the results; ``make bench`` calls it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import bench, chart, command, results, tables
from benchmarks.process import log


def main(arguments: list[str] | None = None) -> int:
    """:returns: the exit code: 0, or 1 when a step failed."""
    args = _parser().parse_args(arguments)
    plan = bench.Plan(
        args.releases,
        args.runs,
        args.seed,
        floor=True,
        peer=args.peer,
        data=args.data,
        samples=args.samples,
    )

    def work() -> None:
        summary = results.summary(bench.measure(plan, log))
        _write(args.results, plan.name, summary, chart.load_chart(summary))
        tables.show(summary)
        if args.growth:
            summaries = [summary]
            for size in sorted(set(args.growth) - {plan.releases}):
                other = replace(plan, releases=size, runs=args.growth_runs, floor=False, peer=False)
                summaries.append(results.summary(bench.measure(other, log)))
            report = results.growth(summaries)
            largest = report["points"][-1]["releases"]
            name = plan.name.replace(f"load-{plan.releases}", f"growth-{largest}")
            _write(args.results, name, report, chart.growth_chart(report))
            tables.show_growth(report)

    return command.exit_code(work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure a first load of releases, an update, and the least time that"
        " PostgreSQL itself takes, on this machine.",
    )
    parser.add_argument("--releases", type=_size, default=40_000, metavar="N")
    parser.add_argument("--runs", type=_size, default=3, metavar="K", help="runs of each step")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the sample dumps")
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FOLDER",
        help="repeat the releases of the largest real excerpt below this folder",
    )
    parser.add_argument("--peer", action="store_true", help="also measure discogskit from PyPI")
    parser.add_argument(
        "--growth",
        type=_sizes,
        nargs="?",
        const=(40_000, 200_000, 1_000_000),
        metavar="N,N,…",
        help="also measure other sizes (default: 40000,200000,1000000; 30 GB of disk)",
    )
    parser.add_argument(
        "--growth-runs", type=_size, default=1, metavar="K", help="runs of each size"
    )
    command.add_folders(parser)
    return parser


def _size(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_size(part) for part in text.split(","))


def _write(folder: Path, name: str, report: dict[str, Any], drawn: str) -> None:
    command.write(folder, name, report)
    (folder / f"{name}.svg").write_text(drawn)


if __name__ == "__main__":
    sys.exit(main())
