"""What the benchmarks' programs have in common: options, errors of one line, result files."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import bench
from benchmarks.process import RESULTS, StepFailed
from discogs.errors import DiscogsError


def add_folders(parser: argparse.ArgumentParser, *, data: bool = True) -> None:
    """Add the options for the folders of results and, with ``data``, of generated dumps."""
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    if data:
        parser.add_argument("--data", type=Path, default=bench.Plan(1).data, metavar="FOLDER")


def exit_code(measure: Callable[[], None]) -> int:
    """Measure; 0, or 1 when a step failed or it was stopped."""
    # The server outlives this process, so SIGTERM must unwind like Ctrl-C and stop it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        measure()
    except (StepFailed, DiscogsError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    return 0


def write(folder: Path, name: str, report: Mapping[str, Any]) -> None:
    """Write a report as JSON into the folder of results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
